#!/usr/bin/env python3
"""golden/train_demo.py: the same seed gives the same bytes, and a run that was stopped in the middle ends in them, too.
HF_CODE names the model's Python files.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.tap import Tap

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT.parent / "shared/minicpm-v-4.5"
STEPS = ["--patch-steps", "2", "--query-steps", "2", "--language-steps", "5", "--review-steps", "2"]


def begin(hf_code: str, folder: Path) -> subprocess.Popen:
    """A run of eleven steps with a checkpoint after every third; a line on stderr after each step."""
    command = [sys.executable, str(ROOT / "golden/train_demo.py"), "--hf-code", hf_code, "--tokenizer", str(PUBLIC)]
    command += ["-o", str(folder), "--state", str(folder / "state.pt"), "--report", "1", "--save", "3", *STEPS]
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def stop_after(process: subprocess.Popen, step: int) -> bool:
    """Kills the run as soon as it tells of `step`; whether it came there."""
    for line in process.stderr:
        if line.startswith(f"{step} "):
            process.kill()
            process.communicate()
            return True
    return False


def main() -> None:
    hf_code = os.environ.get("HF_CODE")
    if not hf_code or not PUBLIC.is_dir():
        print("1..0 # SKIP HF_CODE does not name a folder with the model's Python files, or there is no public tokenizer")
        return
    tap = Tap()
    with tempfile.TemporaryDirectory() as work:
        whole, stopped = Path(work) / "whole", Path(work) / "stopped"
        _, output = (process := begin(hf_code, whole)).communicate()
        tap.check(process.returncode == 0, "a run in one piece", output)
        tap.check(stop_after(begin(hf_code, stopped), 7), "a run stopped after seven steps")
        _, output = (process := begin(hf_code, stopped)).communicate()
        tap.check("from step 6 of 11" in output and process.returncode == 0, "it goes on from its checkpoint", output)
        files = [(folder / "model.safetensors").read_bytes() for folder in (whole, stopped)]
        tap.check(files[0] == files[1], "to the same weights")
    tap.end()


if __name__ == "__main__":
    main()
