#include "ref/qwen2_split.h"

#include "ref/unicode.h"
#include "ref/utf8.h"

const char QWEN2_SPLIT_PATTERN[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                                   "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/* What the pattern tells apart. */
typedef enum Class {
    END,     /* of the text */
    LETTER,  /* \p{L} */
    NUMBER,  /* \p{N} */
    NEWLINE, /* [\r\n] */
    SPACE,   /* \s but [\r\n] */
    OTHER,   /* [^\s\p{L}\p{N}] */
} Class;

typedef struct Character {
    Class class;
    uint32_t code_point;
    size_t end; /* the place behind it */
} Character;

static Class class_of(uint32_t code_point) {
    if (code_point == '\r' || code_point == '\n')
        return NEWLINE;
    if (unicode_is_letter(code_point))
        return LETTER;
    if (unicode_is_number(code_point))
        return NUMBER;
    return unicode_is_space(code_point) ? SPACE : OTHER;
}

static Character character_at(const char *text, size_t size, size_t at) {
    if (at == size)
        return (Character){.class = END, .end = size};
    Utf8Character character = utf8_next(text + at, size - at);
    return (Character){class_of(character.code_point), character.code_point, at + character.size};
}

/* The end of a run of one class. */
static size_t skip(const char *text, size_t size, size_t at, Class class) {
    for (;;) {
        Character character = character_at(text, size, at);
        if (character.class != class)
            return at;
        at = character.end;
    }
}

/* Oniguruma folds cases as Unicode does, so that U+017F, the long s, is an s. */
static uint32_t fold(uint32_t code_point) {
    if (code_point == 0x17F)
        return 's';
    return code_point >= 'A' && code_point <= 'Z' ? code_point | 0x20 : code_point;
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d), from behind the apostrophe on; 0 where it does not match. */
static size_t match_contraction(const char *text, size_t size, size_t at) {
    Character first = character_at(text, size, at);
    Character second = character_at(text, size, first.end);
    uint32_t a = fold(first.code_point), b = fold(second.code_point);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return first.end;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return second.end;
    return 0;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+: up to the last line break of the run of white space; without one all of it but the last
 * character, which goes with what follows it; all of it at the end of the text. */
static size_t match_white_space(const char *text, size_t size, size_t start) {
    size_t at = start, last = start, after_newline = 0;
    Character character = character_at(text, size, at);
    while (character.class == SPACE || character.class == NEWLINE) {
        last = at;
        at = character.end;
        if (character.class == NEWLINE)
            after_newline = at;
        character = character_at(text, size, at);
    }
    if (after_newline)
        return after_newline;
    return character.class == END || last == start ? at : last;
}

size_t qwen2_split(const char *text, size_t size, size_t start) {
    Character first = character_at(text, size, start);
    if (first.code_point == '\'') {
        size_t end = match_contraction(text, size, first.end);
        if (end)
            return end;
    }
    if (first.class == LETTER)
        return skip(text, size, first.end, LETTER);
    if (first.class == NUMBER)
        return first.end;
    if (first.class != NEWLINE) {
        Character second = character_at(text, size, first.end);
        if (second.class == LETTER)
            return skip(text, size, second.end, LETTER);
        if (first.class == OTHER || (first.code_point == ' ' && second.class == OTHER))
            return skip(text, size, skip(text, size, first.end, OTHER), NEWLINE);
    }
    return match_white_space(text, size, start);
}
