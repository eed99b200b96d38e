"""Compares `tokenize` and `detokenize` with transformers: every id and every character equal.

Uses the public vocabulary in ../shared/minicpm-v-4.5 and tokenizers made up here. usage: tokenizer.py [PROGRAM]
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.tap import Tap
from lib.texts import random_text
from tokenizers import AddedToken
from transformers import Qwen2TokenizerFast, logging

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PROGRAM", "build/minicpmv")
PUBLIC = Path("../shared/minicpm-v-4.5")
TINY = Path("tests/fixtures/tokenizer/model")
logging.set_verbosity_error()
tap = Tap()


def ours(command, folder, lines, *options):
    """One JSON value a line to the program, one from it for each."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run(
        [PROGRAM, command, "-m", str(folder), "--jsonl", *options], input=text.encode(), capture_output=True
    )
    assert run.returncode == 0, run.stderr.decode()
    return [json.loads(line) for line in run.stdout.split(b"\n")[:-1]]


def compare(name, inputs, expected, found):
    wrong = [(i, e, f) for i, e, f in zip(inputs, expected, found) if e != f]
    ok = not wrong and len(inputs) == len(expected) == len(found)
    detail = "".join(f"{json.dumps(i)}: expected {e!r}, found {f!r}\n" for i, e, f in wrong[:3])
    tap.check(ok, f"{name}: {len(inputs) - len(wrong)} of {len(inputs)} equal", detail)


def compare_all(name, folder, texts, rng):
    """Texts to ids, those ids to text again, random ids to text."""
    theirs = Qwen2TokenizerFast.from_pretrained(folder)
    ids = theirs(texts).input_ids
    compare(f"{name}, texts to ids", texts, ids, ours("tokenize", folder, texts))
    compare(f"{name}, ids to texts", ids, [theirs.decode(i) for i in ids], ours("detokenize", folder, ids))
    bound = len(theirs) + 20
    lists = [[rng.randrange(bound) for _ in range(rng.randrange(12))] for _ in range(len(texts))]
    compare(f"{name}, random ids", lists, [theirs.decode(i) for i in lists], ours("detokenize", folder, lists))
    compare(
        f"{name}, random ids without special tokens",
        lists,
        [theirs.decode(i, skip_special_tokens=True) for i in lists],
        ours("detokenize", folder, lists, "--skip-special-tokens"),
    )


def with_added_tokens(source, folder):
    """A copy whose added tokens have every flag, and normalize to something else."""
    shutil.copytree(source, folder)
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text())
    decoder = config["added_tokens_decoder"]
    ids = json.loads((Path(folder) / "vocab.json").read_text())
    ids.update({token["content"]: int(index) for index, token in decoder.items()})
    flags = [
        ("WORD", {"single_word": True}),
        ("\u00e9t\u00e9", {"normalized": True}),
        ("A\u030a", {"normalized": True}),
        ("<left>", {"lstrip": True}),
        ("<right>", {"rstrip": True}),
        ("<both>", {"lstrip": True, "rstrip": True}),
        ("<bo", {"single_word": True, "rstrip": True}),
        ("WORD WORD", {"normalized": True, "special": True}),
        ("\u212b", {}),
        (" \u4e2d", {"special": True}),
        ("'s", {"normalized": True}),
        ("\u1100\u1161", {"normalized": True}),
    ]
    for content, given in flags:
        index = ids.setdefault(content, max(ids.values()) + 1)
        decoder[str(index)] = {
            "content": content,
            "lstrip": False,
            "rstrip": False,
            "single_word": False,
            "normalized": False,
            "special": False,
            **given,
        }
    config["additional_special_tokens"] = [*config.get("additional_special_tokens", []), "<left>"]
    path.write_text(json.dumps(config))
    return [content for content, _ in flags]


def split_special(source, folder):
    shutil.copytree(source, folder)
    path = Path(folder) / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "split_special_tokens": True}))


def without_decoder(source, folder):
    """A folder as they were before added_tokens_decoder."""
    shutil.copytree(source, folder)
    path = Path(folder) / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["added_tokens_decoder"]
    path.write_text(json.dumps(config))


def ignoring_merges(folder):
    path = Path(folder) / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["ignore_merges"] = True
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:100]
    path.write_text(json.dumps(tokenizer))


def long_runs():
    lengths = (1000, 99_999)
    return [
        unit * length
        for length in lengths
        for unit in ("a", " ", "\n", " \n", "ab", "1", "!", "\u0301\u0316", "\U0001f600", "'s")
    ]


def check_folders(source, texts_for, rng, work, label):
    added = list(json.loads((source / "added_tokens.json").read_text())) + ["<unk>"]
    few = [random_text(rng, added) for _ in range(texts_for)]
    compare_all(f"{label} as tokenizer.json", saved(source, work / f"{label}-fast"), few, rng)
    fast = saved(source, work / f"{label}-ignoring")
    ignoring_merges(fast)
    compare_all(f"{label}, ignore_merges", fast, few, rng)
    more = with_added_tokens(source, work / f"{label}-added")
    compare_all(
        f"{label}, all flags of added tokens",
        work / f"{label}-added",
        [random_text(rng, [*added[:5], *more, *more, "WORDS", "e\u0301te\u0301", "\u00c5"]) for _ in range(texts_for)],
        rng,
    )
    split_special(source, work / f"{label}-split")
    compare_all(f"{label}, split_special_tokens", work / f"{label}-split", few, rng)
    without_decoder(source, work / f"{label}-older")
    compare_all(f"{label} without added_tokens_decoder", work / f"{label}-older", few, rng)


def saved(source, folder):
    Qwen2TokenizerFast.from_pretrained(source).save_pretrained(folder)
    for name in ("vocab.json", "merges.txt", "added_tokens.json"):
        (folder / name).unlink()
    return folder


def main():
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    count = int(os.environ.get("COUNT", 5000))
    print(f"# SEED={seed} COUNT={count}")
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        check_folders(TINY, count // 5, rng, Path(work), "tiny vocabulary")
        if not PUBLIC.is_dir():
            tap.skip("public vocabulary", f"{PUBLIC} is not there")
            tap.end()
        added = list(json.loads((PUBLIC / "added_tokens.json").read_text())) + ["<unk>"]
        texts = [random_text(rng, added) for _ in range(count)]
        compare_all("public vocabulary", PUBLIC, texts, rng)
        runs = long_runs()
        compare(
            "public vocabulary, long runs",
            [text[:20] for text in runs],
            Qwen2TokenizerFast.from_pretrained(PUBLIC)(runs).input_ids,
            ours("tokenize", PUBLIC, runs),
        )
        check_folders(PUBLIC, count // 10, rng, Path(work), "public vocabulary")
    tap.end()


main()
