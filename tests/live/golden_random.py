#!/usr/bin/env python3
"""Random golden cases: conversations, images and settings that nobody thought of, dumped from PyTorch with an exact run
beside it, and verified. usage: golden_random.py [PROGRAM] [--cases N] [--seed N] [--videos SHARE]; HF_CODE names the model's Python files.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORDS = (
    "what is in the image? two ! !! circles 三角形 на картинке é \u00e9 e\u0301 👍🏽 🇫🇷 1234 3.14 don't I'LL <image> </think>"
    " <think> \n\n \t x=1; a_b #tag @me ﷺ ㎏ ½ नमस्ते สวัสดี 안녕 <|im_end|> <unk> (<image>/) C:\\dir"
).split(" ")


def random_image(rng: random.Random, folder: pathlib.Path, name: str, size: tuple[int, int] | None = None) -> str:
    """A smooth picture with some noise, in a random format and mode; returns its file name."""
    if size is None:
        area, ratio = 2 ** rng.uniform(4, 17), 2 ** rng.uniform(-3.5, 3.5)
        size = (max(2, round((area * ratio) ** 0.5)), max(2, round((area / ratio) ** 0.5)))
        size = (size[0], 4 if size[1] == 3 else size[1])
    noise = numpy.random.default_rng(rng.randrange(2**32))
    y, x = numpy.mgrid[: size[1], : size[0]] / 17.0
    waves = [numpy.sin(x * noise.normal() + y * noise.normal() + k) for k in range(3)]
    pixels = numpy.stack(waves, -1) * 90 + 128 + noise.normal(0, 12, (size[1], size[0], 3))
    image = Image.fromarray(pixels.clip(0, 255).astype(numpy.uint8))
    mode, extension = rng.choice(
        [("RGB", "png"), ("RGB", "png"), ("RGB", "jpg"), ("L", "jpg"), ("RGB", "webp"), ("P", "png"), ("RGBA", "png")]
    )
    file = folder / f"{name}.{extension}"
    image.convert(mode).save(file)
    return file.name


def random_text(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 12))).replace("<image>", "<img>")


def random_messages(rng: random.Random, folder: pathlib.Path, name: str, with_images: bool) -> list[dict]:
    messages, turns = [], rng.choice([1, 1, 2, 3])
    for turn in range(turns):
        parts = [{"type": "text", "text": random_text(rng)}]
        for i in range(rng.choice([0, 1, 1, 2]) if with_images else 0):
            part = {"type": "image", "path": random_image(rng, folder, f"{name}-{turn}-{i}")}
            parts.insert(rng.randint(0, len(parts)), part)
        messages.append({"role": "user", "content": parts})
        if turn + 1 < turns:
            thought = "<think>\nhm\n</think>\n\n" if rng.random() < 0.3 else ""
            messages.append({"role": "assistant", "content": thought + random_text(rng)})
    return messages


def random_clip(rng: random.Random, folder: pathlib.Path, name: str) -> tuple[list[dict], list[list[int]]]:
    """Packed frames and their ids; those of a group have one size."""
    groups, parts, tick = [], [], rng.randrange(2000)
    for g in range(rng.randint(1, 3)):
        size = (rng.randint(20, 200), rng.randint(20, 200))
        group = []
        for _ in range(rng.randint(1, 6)):
            parts.append({"type": "image", "path": random_image(rng, folder, f"{name}-{g}-{len(group)}", size)})
            tick += rng.randint(1, 30)
            group.append(tick)
        groups.append(group)
    return parts, groups


def random_videos(rng: random.Random, folder: pathlib.Path, name: str) -> tuple[list[dict], list[list[int]]]:
    """A conversation with videos, and images between them, in any of its turns."""
    messages, groups, turns = [], [], rng.choice([1, 1, 2, 3])
    for turn in range(turns):
        parts = []
        for i in range(rng.choice([0, 1, 2, 3]) if turn else rng.choice([1, 1, 2, 3])):
            if rng.random() < 0.3:
                parts.append({"type": "text", "text": random_text(rng)})
            if turn + i == 0 or rng.random() < 0.6:
                shown, ids = random_clip(rng, folder, f"{name}-{turn}-{i}")
            else:
                shown, ids = [{"type": "image", "path": random_image(rng, folder, f"{name}-{turn}-{i}")}], [[-1]]
            parts += shown
            groups += ids
        parts.append({"type": "text", "text": random_text(rng)})
        messages.append({"role": "user", "content": parts})
        if turn + 1 < turns:
            messages.append({"role": "assistant", "content": random_text(rng)})
    return messages, groups


def random_case(rng: random.Random, folder: pathlib.Path, model: pathlib.Path, videos: float) -> dict:
    case: dict = {"model": str(model), "exact": True}
    if rng.random() < videos:
        conversation, groups = random_videos(rng, folder, "v")
        case["temporal_ids"], case["conversations"] = [groups], [conversation]
    else:
        batch = rng.choice([1, 1, 2, 3])
        case["conversations"] = [random_messages(rng, folder, f"c{i}", rng.random() < 0.8) for i in range(batch)]
    if rng.random() < 0.4:
        case["system_prompt"] = random_text(rng)
    if rng.random() < 0.5:
        case["max_slice_nums"] = rng.randint(1, 12)
    if rng.random() < 0.4:
        case["use_image_id"] = rng.random() < 0.5
    if rng.random() < 0.3:
        case["enable_thinking"] = True
    case["generate"] = [
        {"name": "greedy", "num_beams": 1, "max_new_tokens": 8},
        {
            "name": "beams",
            "num_beams": rng.randint(2, 4),
            "max_new_tokens": rng.randint(1, 10),
            "min_new_tokens": rng.choice([0, 0, 3]),
            "repetition_penalty": rng.choice([1.0, 1.05, 1.2]),
            "length_penalty": rng.choice([1.0, 0.5, 2.0]),
        },
    ]
    return case


def check(
    program: str, hf_code: str, rng: random.Random, model: pathlib.Path, videos: float
) -> tuple[bool, str]:
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        case = random_case(rng, folder, model, videos)
        (folder / "case.json").write_text(json.dumps(case, ensure_ascii=False))
        dump = [sys.executable, str(ROOT / "golden/dump.py"), "--hf-code", hf_code, "--case", work]
        made = subprocess.run(dump, capture_output=True, text=True, check=False)
        verified = subprocess.run([program, "verify", work], capture_output=True, text=True, check=False)
        words = (verified.stdout + verified.stderr).strip().splitlines()
        if made.returncode == 0:
            return verified.returncode == 0, words[-1] if words else "verify printed nothing"
        raised = made.stderr.strip().splitlines()[-2:]
        refused = verified.returncode in (2, 3) and "golden.safetensors" not in verified.stderr
        return refused, f"PyTorch: {raised}; verify: {words[-1:]}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", nargs="?", default=os.environ.get("PROGRAM", "build/minicpmv"))
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--seed", type=int, default=45)
    parser.add_argument("--videos", type=float, default=0.35, help="the share of cases with videos")
    arguments = parser.parse_args()
    hf_code = os.environ.get("HF_CODE")
    models = sorted(path.parent for path in (ROOT / "golden/models").glob("*/config.json"))
    print(f"1..{arguments.cases}")
    failed = 0
    for i in range(arguments.cases):
        seed, model = arguments.seed + i, models[i % len(models)]
        name = f"case of seed {seed} on {model.name}"
        if not hf_code:
            print(f"ok {i + 1} - {name} # SKIP HF_CODE is not given")
            continue
        good, words = check(arguments.program, hf_code, random.Random(seed), model, arguments.videos)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {i + 1} - {name}\n# {words}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
