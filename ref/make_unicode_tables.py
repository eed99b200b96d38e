#!/usr/bin/env python3
"""Writes ref/unicode_tables.c: what the `tokenizers` package knows of Unicode, asked of the package itself.

    python3 ref/make_unicode_tables.py > ref/unicode_tables.c

The package mixes versions of Unicode (its regex engine's, its normalizer's, that of its added tokens), so no single
version of the Unicode Character Database would do.
"""

import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CHARACTERS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)
HANGUL_VOWELS_AND_TAILS = list(range(0x1161, 0x1176)) + list(range(0x11A8, 0x11C3))

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str


def members(pattern):
    """The code points that a regex for one character matches."""
    remove = pre_tokenizers.Split(Regex(pattern), behavior="removed")
    kept = set("".join(piece for piece, _ in remove.pre_tokenize_str("".join(CHARACTERS))))
    return [ord(c) for c in CHARACTERS if c not in kept]


def word_characters():
    """The code points next to which a token with single_word does not match."""
    tokenizer = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    tokenizer.add_tokens([AddedToken("\0\0", single_word=True, normalized=False)])
    encodings = tokenizer.encode_batch([c + "\0\0" for c in CHARACTERS])
    return [ord(c) for c, encoding in zip(CHARACTERS, encodings) if 1 not in encoding.ids]


LOW_MARK, HIGH_MARK = "\u0334", "\u0345"  # of the lowest combining class, 1, and of the highest, 240


def is_mark(c):
    """Whether the normalizer ever moves the character."""
    return nfd(c) == c and (nfd(HIGH_MARK + c) != HIGH_MARK + c or nfd(c + LOW_MARK) != c + LOW_MARK)


def combining_classes():
    """{code point: class} of the marks that the normalizer reorders.

    Two marks keep their order both ways exactly where their classes are equal, so one mark of each class tells."""
    marks = [c for c in CHARACTERS if is_mark(c)]
    known = {}
    for c in marks:
        known.setdefault(unicodedata.combining(c), c)
    classes = {}
    for c in marks:
        equal = [number for number, mark in known.items() if nfd(mark + c) == mark + c and nfd(c + mark) == c + mark]
        [classes[ord(c)]] = equal
    return classes


def decompositions():
    """[(composed, first, second)], second 0 for a singleton; decomposing `first` again gives the whole of it."""
    full = {c: nfd(c) for c in CHARACTERS if nfd(c) != c and ord(c) not in HANGUL_SYLLABLES}
    shortest = {}
    for c, text in full.items():
        shortest.setdefault(text, c)
    triples = []
    for c, text in full.items():
        if len(text) == 1:
            triples.append((ord(c), ord(text), 0))
        else:
            first = text[:-1] if len(text) == 2 else shortest[text[:-1]]
            triples.append((ord(c), ord(first), ord(text[-1])))
    return triples


def compositions(triples):
    """[(first, second, composed)] of the pairs that the normalizer joins."""
    joined = []
    for composed, _, second in triples:
        if second and nfc(chr(composed)) == chr(composed):
            first = nfc(nfd(chr(composed))[:-1])
            assert len(first) == 1 and nfc(first + chr(second)) == chr(composed), hex(composed)
            joined.append((ord(first), second, composed))
    return sorted(joined)


def changing(classes, joined):
    """The code points without which a text is its own NFC."""
    changed = [ord(c) for c in CHARACTERS if nfc(c) != c]
    return sorted({*changed, *classes, *(second for _, second, _ in joined), *HANGUL_VOWELS_AND_TAILS})


def ranges(code_points):
    result = []
    for c in code_points:
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def class_ranges(classes):
    return [
        (first, last, number)
        for number in sorted(set(classes.values()))
        for first, last in ranges(c for c in classes if classes[c] == number)
    ]


def print_table(kind, name, rows):
    print(f"\nconst {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        cell = " {" + ", ".join(f"0x{number:X}" if number > 255 else str(number) for number in row) + "},"
        if len(line + cell) > 120:
            print(line)
            line = "   "
        line += cell
    print(f"{line}\n}};\nconst size_t {name}_count = {len(rows)};")


def main():
    classes = combining_classes()
    triples = decompositions()
    joined = compositions(triples)
    print("/* Made by make_unicode_tables.py: do not edit.")
    print(f" * What tokenizers {tokenizers.__version__} knows of Unicode. */")
    print('#include "ref/unicode_tables.h"\n\n/* clang-format off */')
    print_table("UnicodeRange", "unicode_letters", ranges(members(r"\p{L}")))
    print_table("UnicodeRange", "unicode_numbers", ranges(members(r"\p{N}")))
    print_table("UnicodeRange", "unicode_spaces", ranges(members(r"\s")))
    print_table("UnicodeRange", "unicode_words", ranges(word_characters()))
    print_table("UnicodeRange", "unicode_nfc_changing", ranges(changing(classes, joined)))
    print_table("UnicodeClassRange", "unicode_combining", sorted(class_ranges(classes)))
    print_table("UnicodePair", "unicode_decompositions", [(first, second, c) for c, first, second in triples])
    print_table("UnicodePair", "unicode_compositions", joined)


if __name__ == "__main__":
    sys.exit(main())
