"""Compares `chat --video` with the model card's way: encode_video, then the PyTorch model's chat() with its frames and
temporal ids. Answers must be equal.

HF_CODE: a folder with the model's Python files and the model card, README.md.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from lib.hf_code import load_or_skip
from lib.tap import Tap

CODE = load_or_skip()
CARD = Path(os.environ["HF_CODE"]) / "README.md"
if not CARD.exists():
    print("1..0 # SKIP HF_CODE does not name a folder with the model card, README.md")
    sys.exit(0)

import torch  # noqa: E402
from encode_video import Card  # noqa: E402
from hf_model import load_model, load_processor  # noqa: E402

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
MODELS = {name: Path("golden/models") / name for name in ("base-f32", "foreach-f16")}
TOKENS = 12


class Clip:
    """A folder of pictures and its frame rate."""

    def __init__(self, folder, rate, pictures):
        self.folder, self.rate, self.pictures = Path(folder), rate, pictures
        self.folder.mkdir()
        for i, picture in enumerate(pictures):
            picture.save(self.folder / f"{i}.png")

    def frames(self, card, options):
        indices, groups = card(len(self.pictures), self.rate, *options)
        return [self.pictures[int(i)] for i in indices], groups


class Original:
    def __init__(self, folder):
        self.processor = load_processor(CODE, folder)
        self.model = load_model(CODE, folder, torch.float32)

    def answer(self, messages, temporal_ids, **options):
        with torch.inference_mode():
            return self.model.chat(msgs=messages, tokenizer=self.processor.tokenizer, processor=self.processor,
                                   sampling=False, max_new_tokens=TOKENS, temporal_ids=temporal_ids, **options)


def command_line(fps, max_frames=180, max_packing=3, force_packing=0):
    """encode_video's parameters as options."""
    options = ["--fps", str(fps), "--max-frames", str(max_frames), "--packing", str(max_packing)]
    return options + (["--force-packing", str(force_packing)] if force_packing else [])


def ours(model, options, questions):
    """The answers of a session."""
    done = subprocess.run([PROGRAM, "chat", "-m", str(model), "--no-sampling", "--max-new-tokens", str(TOKENS), "--json",
                           *options], input="".join(question + "\n" for question in questions), text=True,
                          stdout=subprocess.PIPE, check=True)
    return [json.loads(line)["answer"] for line in done.stdout.splitlines()]


def check(tap, name, found, expected):
    tap.check(found == expected, name, f"found    {found!r}\nexpected {expected!r}")


def check_sampling(tap, card, originals, clip):
    for model, original in originals.items():
        for options in [(5,), (5, 180, 3, 2), (5, 180, 3, 3), (4, 180, 6, 6), (10, 5, 6), (1,)]:
            frames, groups = clip.frames(card, options)
            found = ours(MODELS[model], ["--video", str(clip.folder), "--frame-rate", str(clip.rate),
                                         *command_line(*options)], ["What happens?"])
            expected = original.answer([{"role": "user", "content": frames + ["What happens?"]}], groups,
                                       use_image_id=False, max_slice_nums=1)
            check(tap, f"{model}, {len(frames)} frames in {len(groups)} groups", found, [expected])


def check_mixture(tap, card, original, clip, other):
    """An image between two videos, slices, numbers; then a second question."""
    options = (5, 180, 3, 3)
    (a, a_groups), (b, b_groups) = clip.frames(card, options), other.frames(card, options)
    image = Image.open("golden/images/large.png").convert("RGB")
    shown = ["--video", str(clip.folder), "-i", "golden/images/large.png", "--video", str(other.folder), "--frame-rate",
             str(clip.rate), *command_line(*options)]
    groups = [*a_groups, [-1], *b_groups]
    messages = [{"role": "user", "content": [*a, image, *b, "What is this?"]}]
    for words, ours_more, more in [("as in the card", [], {"use_image_id": False, "max_slice_nums": 1}),
                                   ("cut", ["--max-slice-nums", "4"], {"use_image_id": False, "max_slice_nums": 4}),
                                   ("numbered", ["--use-image-id", "1"], {"use_image_id": True, "max_slice_nums": 1})]:
        first = original.answer(messages, groups, **more)
        later = [*messages, {"role": "assistant", "content": [first]}, {"role": "user", "content": ["Why?"]}]
        second = original.answer(later, groups, **more)
        check(tap, f"two videos and an image, {words}, and a question after",
              ours(MODELS["base-f32"], shown + ours_more, ["What is this?", "Why?"]), [first, second])


def check_sessions(tap, card, original, clips):
    """Sessions with videos and images in any of their turns: the card's prompt from the first video on."""
    rng = random.Random(45)
    files = [f"golden/images/{name}.png" for name in ("large", "scene", "frame06")]
    for number in range(6):
        options = (rng.choice([1, 3, 5]), 180, rng.choice([3, 6]), rng.choice([0, 0, 2, 3, 5, 6]))
        questions, messages, groups, found_video, expected = [], [], [], False, []
        for turn in range(3):
            shown = []
            for _ in range(rng.choice([0, 1, 2])):
                if rng.random() < 0.6:
                    clip = rng.choice(clips)
                    frames, ids = clip.frames(card, options)
                    questions.append(f"/video {clip.folder}")
                    found_video = True
                else:
                    file = rng.choice(files)
                    frames, ids = [Image.open(file).convert("RGB")], [[-1]]
                    questions.append(f"/image {file}")
                shown += frames
                groups += ids
            questions.append(f"What is {turn}?")
            messages.append({"role": "user", "content": [*shown, questions[-1]]})
            prompt = {"use_image_id": False, "max_slice_nums": 1} if found_video else {}
            expected.append(original.answer(messages, groups if found_video else None, **prompt))
            if "image>" in expected[-1] or "slice>" in expected[-1]:
                break  # neither takes an answer with such a tag back into the prompt
            messages.append({"role": "assistant", "content": [expected[-1]]})
        found = ours(MODELS["base-f32"], ["--frame-rate", str(clips[0].rate), *command_line(*options)], questions)
        check(tap, f"session {number}: {[len(group) for group in groups]} frames", found, expected)


def check_long(tap, card, original, folder):
    """180 groups of 3 frames."""
    rng = np.random.default_rng(45)
    pictures = [Image.fromarray(rng.integers(0, 256, (9, 16, 3), np.uint8).repeat(2, 0).repeat(2, 1))
                for _ in range(700)]
    clip = Clip(folder, 10, pictures)
    frames, groups = clip.frames(card, (10,))
    expected = original.answer([{"role": "user", "content": frames + ["What?"]}], groups, use_image_id=False,
                               max_slice_nums=1)
    found = ours(MODELS["base-f32"], ["--video", str(clip.folder), "--frame-rate", "10", "--fps", "10"], ["What?"])
    check(tap, f"{len(frames)} frames in {len(groups)} groups", found, [expected])


def main():
    tap, card = Tap(), Card(CARD)
    originals = {name: Original(folder) for name, folder in MODELS.items()}
    pictures = [Image.open(path).convert("RGB") for path in sorted(Path("golden/images").glob("frame*.png"))]
    with tempfile.TemporaryDirectory() as folder:
        clip = Clip(Path(folder) / "a", 5, pictures)
        other = Clip(Path(folder) / "b", 5, pictures[7:2:-1])
        check_sampling(tap, card, originals, clip)
        check_mixture(tap, card, originals["base-f32"], clip, other)
        check_sessions(tap, card, originals["base-f32"], [clip, other])
        check_long(tap, card, originals["base-f32"], Path(folder) / "c")
    tap.end()


main()
