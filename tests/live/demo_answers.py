#!/usr/bin/env python3
"""The demo model's greedy answers, item by item: `minicpmv eval` and golden/eval_demo.py say the same. Every tenth
held-out item; with `--every 1` all of them. HF_CODE names the model's Python files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.tap import Tap

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "golden" / "demo"


def choose_items(every: int, file: Path) -> list[dict]:
    items = [json.loads(line) for line in (DEMO / "heldout.jsonl").read_text(encoding="utf-8").splitlines()][::every]
    for item in items:
        for message in item["messages"]:
            for part in message["content"]:
                if part["type"] == "image":
                    part["path"] = str(DEMO / part["path"])
    file.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return items


def run(command: list[str], answers: Path, *options: str) -> tuple[dict, list[str]]:
    output = subprocess.run([*command, "--answers", str(answers), *options], capture_output=True, text=True, check=True)
    return json.loads(output.stdout), [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=10, metavar="N")
    arguments = parser.parse_args()
    hf_code, program = os.environ.get("HF_CODE"), os.environ.get("PROGRAM", "build/minicpmv")
    if not hf_code:
        print("1..0 # SKIP HF_CODE does not name a folder with the model's Python files")
        return
    tap = Tap()
    with tempfile.TemporaryDirectory() as work:
        task = Path(work) / "task.jsonl"
        items = choose_items(arguments.every, task)
        ours = [program, "eval", "-m", str(DEMO), "--task", str(task), "--json"]
        theirs = [sys.executable, str(ROOT / "golden/eval_demo.py"), "--hf-code", hf_code, "-m", str(DEMO)]
        theirs += ["--task", str(task)]
        for options in ((), ("--max-slice-nums", "1")):
            our_scores, our_answers = run(ours, Path(work) / "ours", *options)
            their_scores, their_answers = run(theirs, Path(work) / "theirs", *options)
            name = " ".join(options) or "as the items say"
            differ = [
                f"{item['messages'][-1]['content'][-1]['text']}: {our!r}, PyTorch {their!r}"
                for item, our, their in zip(items, our_answers, their_answers, strict=True)
                if our != their
            ]
            tap.check(not differ, f"{name}: {len(items)} answers", "\n".join(differ))
            tap.check(our_scores == their_scores, f"{name}: accuracies", f"{our_scores}\n{their_scores}")
    tap.end()


if __name__ == "__main__":
    main()
