#!/usr/bin/env python3
"""Writes golden/manifest.json: size and XXH3 of every file of the models, images, cases and demo, the XXH3 of every
tensor in them, and who made them. `minicpmv verify --manifest golden/manifest.json` holds a copy of the files to it."""

import argparse
import json
import struct
import sys
from pathlib import Path

from hf_model import versions

import xxhash

FOLDERS = ("models", "images", "cases", "demo")


def hash_tensors(content: bytes) -> dict[str, str]:
    """Of a safetensors file, the hash of each tensor's data."""
    start = 8 + struct.unpack_from("<Q", content)[0]
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    spans = {name: about["data_offsets"] for name, about in header.items()}
    return {name: xxhash.xxh3_64_hexdigest(content[start + a : start + b]) for name, (a, b) in sorted(spans.items())}


def describe_file(file: Path) -> dict:
    content = file.read_bytes()
    about = {"bytes": len(content), "xxh3": xxhash.xxh3_64_hexdigest(content)}
    if file.suffix == ".safetensors":
        about["tensors"] = hash_tensors(content)
    return about


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
