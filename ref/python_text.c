#include "ref/python_text.h"

#include <stdbool.h>

size_t python_character_size(PythonText text) {
    size_t bytes = 1;
    while (bytes < text.size && ((unsigned char)text.data[bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

size_t python_space_size(PythonText text) {
    const unsigned char *s = (const unsigned char *)text.data;
    if ((s[0] >= 0x09 && s[0] <= 0x0d) || (s[0] >= 0x1c && s[0] <= 0x20))
        return 1;
    if (text.size >= 2 && s[0] == 0xc2 && (s[1] == 0x85 || s[1] == 0xa0))
        return 2;
    if (text.size < 3)
        return 0;
    unsigned code = (unsigned)(s[0] & 0x0f) << 12 | (unsigned)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    bool three_bytes = s[0] >= 0xe1 && s[0] <= 0xe3;
    bool is_space = code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
                    code == 0x202f || code == 0x205f || code == 0x3000;
    return three_bytes && is_space ? 3 : 0;
}

PythonText python_from(PythonText text, size_t at) {
    return (PythonText){text.data + at, text.size - at};
}

PythonText python_strip(PythonText text) {
    size_t begin = text.size, end = text.size;
    for (size_t at = 0; at < text.size;) {
        PythonText rest = python_from(text, at);
        size_t space = python_space_size(rest);
        if (space) {
            at += space;
            continue;
        }
        if (begin == text.size)
            begin = at;
        at += python_character_size(rest);
        end = at;
    }
    return begin == text.size ? python_from(text, begin) : (PythonText){text.data + begin, end - begin};
}
