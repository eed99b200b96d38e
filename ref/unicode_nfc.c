/* Normalization form C: decompose, sort the marks behind each character, compose (Unicode Standard Annex #15; chapter
 * 3.11 and 3.12 of the standard). */
#include <string.h>

#include "ref/unicode.h"
#include "ref/unicode_tables.h"
#include "ref/utf8.h"

/* Hangul syllables are numbered lead by lead, vowel by vowel, tail by tail (section 3.12); tail 0 is none. */
enum {
    LEAD = 0x1100,
    VOWEL = 0x1161,
    TAIL = 0x11A7,
    SYLLABLE = 0xAC00,
    NUM_LEADS = 19,
    NUM_VOWELS = 21,
    NUM_TAILS = 28,
    NUM_SYLLABLES = NUM_LEADS * NUM_VOWELS * NUM_TAILS
};

/* A code point and its combining class; 0 is that of characters that marks attach to. */
typedef struct Point {
    uint32_t code : 24, combining_class : 8;
} Point;

typedef struct Points {
    Point *data;
    size_t count, capacity;
} Points;

/* NULL where the code point does not decompose. */
static const UnicodePair *find_decomposition(uint32_t code_point) {
    size_t low = 0, high = unicode_decompositions_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > unicode_decompositions[middle].composed)
            low = middle + 1;
        else
            high = middle;
    }
    const UnicodePair *pair = &unicode_decompositions[low];
    return low < unicode_decompositions_count && pair->composed == code_point ? pair : NULL;
}

static uint8_t combining_class(uint32_t code_point) {
    size_t low = 0, high = unicode_combining_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > unicode_combining[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    const UnicodeClassRange *range = &unicode_combining[low];
    return low < unicode_combining_count && code_point >= range->first ? range->combining_class : 0;
}

static mcv_status append_point(Points *points, uint32_t code_point) {
    MCV_TRY(MCV_GROW(&points->data, &points->capacity, points->count + 1));
    points->data[points->count++] = (Point){code_point, combining_class(code_point)};
    return MCV_OK;
}

static mcv_status append_decomposed(Points *points, uint32_t code_point) {
    uint32_t syllable = code_point - SYLLABLE;
    if (syllable < NUM_SYLLABLES) {
        MCV_TRY(append_point(points, LEAD + syllable / (NUM_VOWELS * NUM_TAILS)));
        MCV_TRY(append_point(points, VOWEL + syllable / NUM_TAILS % NUM_VOWELS));
        return syllable % NUM_TAILS ? append_point(points, TAIL + syllable % NUM_TAILS) : MCV_OK;
    }
    const UnicodePair *pair = code_point < 0x80 ? NULL : find_decomposition(code_point);
    if (!pair)
        return append_point(points, code_point);
    MCV_TRY(append_decomposed(points, pair->first));
    return pair->second ? append_point(points, pair->second) : MCV_OK;
}

/* Sorts marks by their class and keeps the order of equal ones, in linear time: text can be one long run of marks. */
static void sort_marks(Point *marks, size_t count, Point *scratch) {
    size_t place[256] = {0};
    for (size_t i = 0; i < count; i++)
        place[marks[i].combining_class]++;
    for (size_t value = 0, next = 0; value < 256; value++) {
        size_t of_class = place[value];
        place[value] = next;
        next += of_class;
    }
    for (size_t i = 0; i < count; i++)
        scratch[place[marks[i].combining_class]++] = marks[i];
    memcpy(marks, scratch, count * sizeof *marks);
}

/* Canonical ordering: each run of marks by class. */
static mcv_status order_marks(Points *points) {
    Point *scratch;
    MCV_TRY(MCV_NEW(&scratch, points->count));
    for (size_t start = 0; start < points->count;) {
        size_t end = start;
        bool sorted = true;
        for (; end < points->count && points->data[end].combining_class; end++)
            sorted &= end == start || points->data[end - 1].combining_class <= points->data[end].combining_class;
        if (!sorted)
            sort_marks(points->data + start, end - start, scratch);
        start = end + 1;
    }
    free(scratch);
    return MCV_OK;
}

static int compare_pair(const UnicodePair *pair, uint32_t first, uint32_t second) {
    if (pair->first != first)
        return pair->first < first ? -1 : 1;
    return pair->second < second ? -1 : pair->second > second;
}

/* What two code points compose to, 0 where they do not. */
static uint32_t compose(uint32_t first, uint32_t second) {
    if (first - LEAD < NUM_LEADS && second - VOWEL < NUM_VOWELS)
        return SYLLABLE + ((first - LEAD) * NUM_VOWELS + (second - VOWEL)) * NUM_TAILS;
    if (first - SYLLABLE < NUM_SYLLABLES && (first - SYLLABLE) % NUM_TAILS == 0 && second - TAIL - 1 < NUM_TAILS - 1)
        return first + (second - TAIL);
    size_t low = 0, high = unicode_compositions_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_pair(&unicode_compositions[middle], first, second);
        if (order == 0)
            return unicode_compositions[middle].composed;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* Canonical composition: a mark joins the starter before it where they compose and no mark between them, of the same
 * or a higher class, is in the way. */
static void compose_all(Points *points) {
    Point *data = points->data;
    size_t kept = 0, starter = 0;
    bool has_starter = false;
    for (size_t i = 0; i < points->count; i++) {
        Point point = data[i];
        bool adjacent = starter + 1 == kept;
        bool blocked = !has_starter || (!adjacent && data[kept - 1].combining_class >= point.combining_class);
        uint32_t composed = blocked ? 0 : compose(data[starter].code, point.code);
        if (composed) {
            data[starter].code = composed;
            continue;
        }
        if (point.combining_class == 0) {
            starter = kept;
            has_starter = true;
        }
        data[kept++] = point;
    }
    points->count = kept;
}

static mcv_status append_utf8(const Points *points, mcv_buffer *text) {
    for (size_t i = 0; i < points->count; i++) {
        char bytes[4];
        MCV_TRY(mcv_buffer_append(text, bytes, utf8_put(points->data[i].code, bytes)));
    }
    return MCV_OK;
}

static bool may_change(const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        Utf8Character character = utf8_next(text + at, size - at);
        if (character.code_point >= 0x80 &&
            unicode_in_ranges(unicode_nfc_changing, unicode_nfc_changing_count, character.code_point))
            return true;
        at += character.size;
    }
    return false;
}

mcv_status unicode_nfc(const char *text, size_t size, mcv_buffer *normalized) {
    if (!may_change(text, size))
        return mcv_buffer_append(normalized, text, size);
    Points points = {0};
    mcv_status status = MCV_OK;
    for (size_t at = 0; at < size && status == MCV_OK;) {
        Utf8Character character = utf8_next(text + at, size - at);
        status = append_decomposed(&points, character.code_point);
        at += character.size;
    }
    if (status == MCV_OK)
        status = order_marks(&points);
    if (status == MCV_OK) {
        compose_all(&points);
        status = append_utf8(&points, normalized);
    }
    free(points.data);
    return status;
}
