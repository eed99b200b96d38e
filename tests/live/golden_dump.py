#!/usr/bin/env python3
"""golden/dump.py, run again, gives the committed golden cases. Prints TAP; needs HF_CODE, else it skips.

Integers and texts must be equal, floats equal or at the level of rounding: on the CPU that made them every bit is.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
TREES = [ROOT / "golden", ROOT.parent / "shared" / "golden-sample"]
# Other CPUs sum in other orders.
LIMITS = {"golden.safetensors": 5e-6, "exact.safetensors": 5e-9}
# Said about the makers, not about the numbers.
MAKERS = {"numpy", "pillow", "torch", "transformers", "weights_xxh3", "note"}


def read(file: Path) -> tuple[dict, dict]:
    with safe_open(file, "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
        return tensors, {key: value for key, value in opened.metadata().items() if key not in MAKERS}


def difference(new: Path, committed: Path) -> str:
    """Words for the first thing that differs; none where nothing does."""
    if not new.exists():
        return f"{new.name} was not written"
    tensors, texts = read(new)
    expected_tensors, expected_texts = read(committed)
    if texts != expected_texts:
        return f"{new.name}: metadata {texts}, expected {expected_texts}"
    if tensors.keys() != expected_tensors.keys():
        return f"{new.name}: other tensors: {sorted(tensors.keys() ^ expected_tensors.keys())}"
    for name, expected in expected_tensors.items():
        found = tensors[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            return f"{new.name}: {name} is {found.dtype} {tuple(found.shape)}"
        if found.equal(expected):
            continue
        if not expected.is_floating_point() or name.startswith("pixel_values"):
            return f"{new.name}: {name} is not equal"
        distance = ((found.double() - expected.double()).norm() / expected.double().norm()).item()
        if not distance <= LIMITS[new.name]:
            return f"{new.name}: {name} is {distance:.2e} away, at most {LIMITS[new.name]} is right"
    return ""


def check_tree(tree: Path, hf_code: Path, first: int) -> int:
    """Dumps every case of `tree` in a copy of it and compares; returns the number of failures."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(tree, copy, ignore=shutil.ignore_patterns("golden.safetensors", "exact.safetensors"))
        cases = sorted((copy / "cases").iterdir())
        for case in cases:
            case.chmod(0o755)
        command = [sys.executable, ROOT / "golden" / "dump.py", "--hf-code", hf_code, "--case", *cases]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            print("# " + run.stderr.strip().replace("\n", "\n# "))
        for number, case in enumerate(cases, first):
            files = sorted((tree / "cases" / case.name).glob("*.safetensors"))
            words = [difference(case / file.name, file) for file in files] if files else ["no committed tensors"]
            wrong = [word for word in words if word]
            failures += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {number} - {tree.name}: {case.name}")
            for word in wrong:
                print(f"# {word}")
    return failures


def main() -> int:
    hf_code = os.environ.get("HF_CODE")
    if not hf_code:
        print("1..0 # SKIP HF_CODE is not set: the model's Python files are not part of this repository")
        return 0
    trees = [tree for tree in TREES if (tree / "cases").is_dir()]
    counts = [len(list((tree / "cases").iterdir())) for tree in trees]
    print(f"1..{sum(counts)}")
    failures = 0
    for i, tree in enumerate(trees):
        failures += check_tree(tree, Path(hf_code).resolve(), 1 + sum(counts[:i]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
