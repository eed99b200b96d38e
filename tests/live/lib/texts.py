"""Random text that tokenizers stumble over."""

import unicodedata

BLOCKS = {
    "ascii": [chr(c) for c in range(32, 127)],
    "letters": list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "contractions": [
        "'s",
        "'S",
        "'\u017f",
        "'t",
        "'re",
        "'RE",
        "'rE",
        "'ve",
        "'m",
        "'ll",
        "'lL",
        "'d",
        "'",
        "\u2019s",
        "'l",
    ],
    "spaces": list(" \t\n\r\x0b\x0c\x1c\x85\xa0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000\u180e\u200b\ufeff"),
    "breaks": [" ", " ", "  ", "\n", "\r", "\r\n", "\n\n", " \n", "\n ", "\t"],
    "controls": [chr(c) for c in [*range(32), *range(127, 160), 0xAD, 0x200D, 0x2060, 0xFFF9, 0xE0001]],
    "punctuation": list("!?.,;:-_()[]{}<>|/\\@#$%^&*+=~`\"'\u2026\u2014\u201c\u201d\u3002\uff0c\xbf\xa1"),
    "digits": list(
        "0123456789\u0660\u0663\u06f5\u0967\u0e53\u1040\u17e2\uff11\xb2\xbd\u2167\u3007\u4e00\u2460\U0001d7d8\U0001fbf5"
    ),
    "marks": [chr(c) for c in range(0x300, 0x370)]
    + list("\u05b0\u05bc\u064b\u0651\u093c\u094d\u0e38\u0f71\u1dce\u20d0\u302a\u3099\ufe20\U0001d165"),
    "composed": [chr(c) for c in [*range(0xC0, 0x250), *range(0x1E00, 0x2000), *range(0x390, 0x3D0), 0x212A, 0x212B]],
    "jamo": [chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3), 0xA960, 0xD7B0]],
    "hangul": [chr(c) for c in range(0xAC00, 0xD7A4, 7)],
    "han": [chr(c) for c in range(0x4E00, 0x9FFF, 11)] + [chr(c) for c in range(0xF900, 0xFB00, 3)],
    "kana": [chr(c) for c in range(0x3041, 0x30FF)],
    "cyrillic": [chr(c) for c in range(0x400, 0x530)],
    "arabic": [chr(c) for c in range(0x600, 0x6FF)],
    "indic": [chr(c) for c in range(0x900, 0xDFF)],
    "thai": [chr(c) for c in range(0xE01, 0xE5C)],
    "emoji": list(
        "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3fd\ufe0f\u2764\U0001f1e9\U0001f1ea\U0001fae8\u20e3"
    ),
    "decomposing": [
        chr(c)
        for c in range(0x110000)
        if not 0xD800 <= c < 0xE000 and not 0xAC00 <= c < 0xD7A4 and unicodedata.decomposition(chr(c))
    ],
    "planes": None,
}


def random_character(rng):
    plane = rng.choice([0, 0, 0, 1, 1, 2, 3, 14, rng.randrange(17)])
    while True:
        c = plane << 16 | rng.randrange(0x10000)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_text(rng, extra, length=40):
    """Runs of characters of one block each; `extra` are strings (added tokens) to mix in."""
    text = ""
    for _ in range(rng.randrange(1, length)):
        kind = rng.choice([*BLOCKS, "extra", "repeat", "cut"])
        if kind == "extra":
            text += rng.choice(extra)
        elif kind == "repeat":
            text += rng.choice(" \n\ta-1\u0301e\u1100") * rng.randrange(1, 20)
        elif kind == "cut":
            token = rng.choice(extra)
            text += token[rng.randrange(len(token)) :] if rng.random() < 0.5 else token[: rng.randrange(len(token))]
        elif kind == "planes":
            text += "".join(random_character(rng) for _ in range(rng.randrange(1, 5)))
        else:
            text += "".join(rng.choice(BLOCKS[kind]) for _ in range(rng.choice([1, 1, 2, 3, 8])))
    return text
