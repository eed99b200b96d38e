"""Compares decoding with transformers' generate on the same toy model and, where it samples, with the same random numbers:
ids, the number of the model's steps, and the processed scores along the way.

usage: [SETTINGS=N] generation.py [TOOL]: N random settings a mode; TOOL is built from tests/tools/generate_toy.c
"""

import json
import os
import random
import subprocess
import sys

import numpy as np
from lib.tap import Tap
from lib.toy_model import decode, equal_logits, random_setting
from transformers import logging

TOOL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/tools/generate_toy"
SETTINGS = int(os.environ.get("SETTINGS", "40"))
SCORES = 6
logging.set_verbosity_error()
tap = Tap()


def ours(settings):
    run = subprocess.run([TOOL], input="".join(json.dumps(s) + "\n" for s in settings).encode(), capture_output=True)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert run.returncode == 0 and len(results) == len(settings), run.stderr.decode()
    return results


def scores_differ(found, expected, tolerance):
    """A reason, or None. Where a token is filtered out the score is null."""
    found = np.array([-np.inf if s is None else s for s in found], dtype=np.float32)
    expected = np.array(expected, dtype=np.float32)
    if (np.isinf(found) != np.isinf(expected)).any():
        return f"tokens {np.nonzero(np.isinf(found) != np.isinf(expected))[0].tolist()} kept by one of the two alone"
    kept = ~np.isinf(expected)
    worst = np.max(np.abs(found[kept] - expected[kept]) / np.maximum(np.abs(expected[kept]), 1), initial=0)
    return f"scores differ by {worst:g}" if worst > tolerance else None


def compare_scores(name, settings, records, rng):
    """Some of the histories that generate went through: our processors' scores behind them."""
    questions, answers = [], []
    for setting, record in zip(settings, records, strict=True):
        rows = len(setting["prompts"]) * setting["num_beams"]
        for i in rng.sample(range(len(record)), min(SCORES, len(record))):
            prompt = setting["prompts"][i % rows // setting["num_beams"]]
            questions.append(setting | {"prompts": [prompt], "history": record[i][0]})
            answers.append(record[i][1])
    wrong = []
    for question, expected, result in zip(questions, answers, ours(questions), strict=True):
        # Log probabilities come out of different exponentials; all else is one operation after the other.
        difference = scores_differ(result["scores"], expected, 1e-6 if question["num_beams"] > 1 else 0)
        if difference or "error" in result:
            wrong.append(f"{json.dumps(question)}: {result.get('error', difference)}")
    tap.check(not wrong, f"{name}: {len(questions) - len(wrong)} of {len(questions)} times the same scores", "\n".join(wrong[:3]))


def compare(name, count, ties=False, **fixed):
    rng = random.Random(name)
    settings = [random_setting(rng, **fixed | (equal_logits(rng) if ties else {})) for _ in range(count)]
    theirs = [decode(setting) for setting in settings]
    wrong = [
        f"{json.dumps(setting)}: expected {expected}, found {found}"
        for setting, (expected, _), found in zip(settings, theirs, ours(settings), strict=True)
        if found != expected
    ]
    tap.check(not wrong, f"{name}: {count - len(wrong)} of {count} settings give the same ids", "\n".join(wrong[:3]))
    compare_scores(name, settings, [record for _, record in theirs], rng)


def main():
    for mode, fixed in ("", {}), (", sampling", {"do_sample": True}):
        compare(f"1 beam{mode}", SETTINGS, num_beams=1, **fixed)
        for beams in 2, 3, 4, 5:
            compare(f"{beams} beams{mode}", SETTINGS // 2, num_beams=beams, **fixed)
        compare(f"1 beam{mode}, equal logits", SETTINGS // 2, ties=True, num_beams=1, **fixed)
        compare(f"3 beams{mode}, equal logits", SETTINGS // 2, ties=True, num_beams=3, **fixed)
    tap.end()


main()
