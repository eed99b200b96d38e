#include "ref/unicode.h"

#include "ref/unicode_tables.h"

bool unicode_in_ranges(const UnicodeRange *ranges, size_t count, uint32_t code_point) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code_point >= ranges[low].first;
}

bool unicode_is_letter(uint32_t code_point) {
    if (code_point < 0x80)
        return (code_point | 0x20) - 'a' < 26;
    return unicode_in_ranges(unicode_letters, unicode_letters_count, code_point);
}

bool unicode_is_number(uint32_t code_point) {
    if (code_point < 0x80)
        return code_point - '0' < 10;
    return unicode_in_ranges(unicode_numbers, unicode_numbers_count, code_point);
}

bool unicode_is_space(uint32_t code_point) {
    return unicode_in_ranges(unicode_spaces, unicode_spaces_count, code_point);
}

bool unicode_is_word(uint32_t code_point) {
    return unicode_in_ranges(unicode_words, unicode_words_count, code_point);
}
