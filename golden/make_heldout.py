#!/usr/bin/env python3
"""Makes the demo model's held-out items: golden/demo/heldout.jsonl and the pictures in golden/demo/heldout."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import demo_data as data

PER_ABILITY = 190
# Kinds of scenes, the questions for each, and how often a scene is asked each of them. "move" and "follow": clips.
KINDS = {
    "small": (data.ASKS["small"], 2),
    "large": ((data.ask_reading,), 5),
    "pair": ((data.ask_compare,), 3),
    "move": ((data.ask_clip,), 3),
    "follow": ((data.ask_clip,), 3),
}


def make_scene(kind: str, rng) -> data.Scene:
    while True:
        scene = data.make_scene(kind if kind in data.ASKS else "clip", rng, True)
        if kind in data.ASKS or scene.story[0] == kind:
            return scene


def ask(rng, scene: data.Scene, asks, times: int, counts: dict) -> list[data.Item]:
    """Different questions about a scene, as far as it suits them and their abilities need more."""
    items = []
    for _ in range(times):
        for question in asks:
            z = int(rng.integers(2))
            found = next(filter(None, (question(rng, scene, z) for _ in range(8))), None)
            item = found and data.Item(found[0], "zh" if z else "en", *found[1:])
            if item and item not in items and counts.get(item.ability, 0) < PER_ABILITY:
                items.append(item)
                counts[item.ability] = counts.get(item.ability, 0) + 1
    return items


def messages_of(scene: data.Scene, item: data.Item, paths: list[str]) -> list[dict]:
    messages = []
    for question, answer in item.turns:
        messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    messages[0]["content"] = [{"type": "image", "path": path} for path in paths] + messages[0]["content"]
    return messages[:-1]


def line_of(scene: data.Scene, item: data.Item, paths: list[str]) -> dict:
    line = {"ability": item.ability, "language": item.language, "messages": messages_of(scene, item, paths)}
    if scene.times:
        line["temporal_ids"] = [list(scene.times)]
    if item.thought is not None:
        line["enable_thinking"] = True
    return line | {"answer": item.answer}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "demo", metavar="DIR")
    parser.add_argument("--seed", type=int, default=21)
    arguments = parser.parse_args()
    pictures = arguments.output / "heldout"
    pictures.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(arguments.seed)
    lines, number = [], 0
    for kind, (asks, times) in KINDS.items():
        counts = {}
        while not counts or min(counts.values()) < PER_ABILITY:
            scene = make_scene(kind, rng)
            items = ask(rng, scene, asks, times, counts)
            paths = [f"heldout/{number:03}-{i}.png" for i in range(len(scene.images))]
            lines += [line_of(scene, item, paths) for item in items]
            number += bool(items)
            for path, image in zip(paths, scene.images if items else ()):
                Image.fromarray(image).save(arguments.output / path, optimize=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (arguments.output / "heldout.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(lines)} items, {sum(f.stat().st_size for f in pictures.iterdir())} bytes of pictures", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
