#!/usr/bin/env python3
"""Makes the demo model's held-out items: golden/demo/heldout.jsonl and the pictures in golden/demo/heldout."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import demo_data as data

PER_ABILITY = 184
# How many questions of each ability a scene is asked.
ASKED = {
    "small": ({ask: 1 for ask in data.ASKS["small"]}, PER_ABILITY),
    "large": ({data.ask_reading: 4}, PER_ABILITY // 4),
    "pair": ({data.ask_compare: 2}, PER_ABILITY // 2),
    "move": ({data.ask_clip: 2}, PER_ABILITY // 2),
    "appear": ({data.ask_clip: 2}, PER_ABILITY // 2),
}


def make_scene(kind: str, rng) -> data.Scene:
    while True:
        scene = data.make_scene(kind if kind in data.ASKS else "clip", rng, True)
        if kind in data.ASKS or scene.story[0] == kind:
            return scene


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
    parser.add_argument("--seed", type=int, default=20)
    arguments = parser.parse_args()
    pictures = arguments.output / "heldout"
    pictures.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(arguments.seed)
    lines = []
    for kind, (asks, scenes) in ASKED.items():
        for number in range(scenes):
            scene = make_scene(kind, rng)
            paths = []
            for i, image in enumerate(scene.images):
                paths.append(f"heldout/{kind}-{number:03}-{i}.png")
                Image.fromarray(image).save(arguments.output / paths[-1], optimize=True)
            asked = [ask for ask, times in asks.items() for _ in range(times)]
            made = [data.make_item(rng, scene, ask) for ask in asked]
            # The same question twice about one scene is asked once.
            lines += [line_of(scene, item, paths) for item in dict.fromkeys(made)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (arguments.output / "heldout.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(lines)} items, {sum(f.stat().st_size for f in pictures.iterdir())} bytes of pictures", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
