"""Compares decoding with transformers' generate on the same toy model: every id equal, processed scores, too.

usage: generation.py [TOOL], the program built from tests/tools/generate_toy.c
"""

import json
import os
import random
import subprocess
import sys

import numpy as np
from lib.tap import Tap
from lib.toy_model import decode, random_setting
from transformers import logging

TOOL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BUILD", "build") + "/tests/tools/generate_toy"
SETTINGS = int(os.environ.get("SETTINGS", "400"))
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
    tap.check(not wrong, f"{name}: scores of {len(questions) - len(wrong)} of {len(questions)} steps", "\n".join(wrong[:3]))


def compare(name, count, ties=False, **fixed):
    rng = random.Random(name)
    settings = [random_setting(rng, **fixed) for _ in range(count)]
    theirs = [decode(setting, ties) for setting in settings]
    wrong = []
    for setting, (expected, _), result in zip(settings, theirs, ours(settings), strict=True):
        if result.get("error") or result["sequences"] != expected:
            found = result.get("error", result["sequences"])
            wrong.append(f"{json.dumps(setting)}: expected {expected}, found {found}")
    tap.check(not wrong, f"{name}: ids of {count - len(wrong)} of {count} settings equal", "\n".join(wrong[:3]))
    compare_scores(name, settings, [record for _, record in theirs], rng)


def main():
    compare("greedy", SETTINGS, num_beams=1)
    compare("sampling", SETTINGS, num_beams=1, do_sample=True)
    for beams in 2, 3, 4, 5:
        compare(f"{beams} beams", SETTINGS // 2, num_beams=beams)
    compare("beams, sampling", SETTINGS, num_beams=3, do_sample=True)
    compare("equal logits, greedy", SETTINGS // 2, ties=True, num_beams=1, bits=1)
    compare("equal logits, sampling", SETTINGS // 2, ties=True, num_beams=1, bits=1, do_sample=True)
    compare("equal logits, beams", SETTINGS // 2, ties=True, num_beams=3, bits=1)
    compare("equal logits, beams, sampling", SETTINGS // 2, ties=True, num_beams=3, bits=1, do_sample=True)
    tap.end()


main()
