#!/usr/bin/env python3
"""Writes golden/manifest.json: size and XXH3 of every file of the models, images and cases, and who made them."""

import argparse
import json
import sys
from pathlib import Path

from hf_model import versions

import xxhash

FOLDERS = ("models", "images", "cases")


def describe_file(file: Path) -> dict:
    content = file.read_bytes()
    return {"bytes": len(content), "xxh3": xxhash.xxh3_64_hexdigest(content)}


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    golden = Path(__file__).parent
    files = sorted(file for folder in FOLDERS for file in (golden / folder).rglob("*") if file.is_file())
    manifest = {
        "made_with": versions(),
        "files": {file.relative_to(golden).as_posix(): describe_file(file) for file in files},
    }
    (golden / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    print(f"{golden / 'manifest.json'}: {len(files)} files", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
