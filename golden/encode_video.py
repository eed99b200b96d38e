"""Runs the model card's encode_video without a video, and makes golden/encode_video.txt with it.

usage: golden/encode_video.py README OUT     (README: the model card, README.md of MiniCPM-V 4.5)

The functions are taken from the card when this runs. In place of a video they get a frame count and a frame rate.
Each line of OUT: frame count, frame rate as numerator and denominator, choose_fps, MAX_NUM_FRAMES, MAX_NUM_PACKING,
force_packing (0: None), and what the card makes of it: frames, frames a group, and the 64-bit FNV-1a hash of the bytes of
all frame indices (int64) and all temporal ids (int32). Of two ticks that are equally near, the hash has the earlier one,
whichever the card took.
"""

import ast
import contextlib
import io
import math
import random
import re
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np

FUNCTIONS = {"map_to_nearest_scale", "group_array", "encode_video"}
CONSTANTS = {"MAX_NUM_FRAMES", "MAX_NUM_PACKING", "TIME_SCALE"}


class VideoReader:
    """Stands for decord's: a frame count and a rate; its pictures are its indices."""

    def __init__(self, video, ctx=None):
        self.count, self.fps = video

    def __len__(self):
        return self.count

    def get_avg_fps(self):
        return self.fps

    def get_batch(self, indices):
        return SimpleNamespace(asnumpy=lambda: [Frame(i) for i in indices])


class Frame(int):
    """An index with the method of a picture's array."""

    def astype(self, dtype):
        return self


class Image:
    """Stands for PIL.Image."""

    def __init__(self, index):
        self.index = index

    @staticmethod
    def fromarray(index):
        return Image(index)

    def convert(self, mode):
        return self


def code_of(readme):
    """The functions and constants of the card's first example that has encode_video."""
    for block in re.findall(r"```python\n(.*?)```", Path(readme).read_text(), re.S):
        if "def encode_video" in block:
            tree = ast.parse(block)
            tree.body = [node for node in tree.body
                         if getattr(node, "name", None) in FUNCTIONS
                         or isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in CONSTANTS]
            return compile(tree, str(readme), "exec")
    raise SystemExit(f"{readme}: no example with encode_video")


class Card:
    def __init__(self, readme):
        from scipy.spatial import cKDTree

        self.names = {"np": np, "math": math, "cKDTree": cKDTree, "Image": Image, "cpu": int, "VideoReader": VideoReader}
        exec(code_of(readme), self.names)

    def __call__(self, count, fps, choose_fps, max_frames=180, max_packing=3, force_packing=0):
        """(frame indices, groups of temporal ids)."""
        self.names.update(MAX_NUM_FRAMES=max_frames, MAX_NUM_PACKING=max_packing)
        with contextlib.redirect_stdout(io.StringIO()):
            frames, groups = self.names["encode_video"]((count, fps), choose_fps, force_packing or None)
        return [frame.index for frame in frames], [[int(i) for i in group] for group in groups]


def ticks_of_ties(count, fps, indices):
    """{position: the earlier and the later id} where two ticks are equally near."""
    scale = np.arange(0, count / fps, 0.1)
    times = np.asarray(indices) / fps
    later = np.clip(np.searchsorted(scale, times), 1, max(len(scale) - 1, 1))
    if len(scale) < 2:
        return {}
    tied = np.flatnonzero(np.abs(times - scale[later - 1]) == np.abs(scale[later] - times))
    ids = (scale / 0.1).astype(np.int32)
    return {int(i): (int(ids[later[i] - 1]), int(ids[later[i]])) for i in tied}


def earlier_at_ties(count, fps, indices, ids):
    ids = list(ids)
    for i, ticks in ticks_of_ties(count, fps, indices).items():
        assert ids[i] in ticks, (count, fps, i, ids[i], ticks)
        ids[i] = ticks[0]
    return ids


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


RATES = [Fraction(n) for n in (1, 2, 5, 8, 10, 12, 15, 16, 20, 24, 25, 30, 48, 50, 60, 90, 120, 240)] + [
    Fraction(n, 1001) for n in (12000, 15000, 24000, 30000, 60000, 120000)] + [
    Fraction(1, 2), Fraction(73, 10), Fraction(359, 12), Fraction(90000, 3003), Fraction(19001317, 633983)]


def combinations(seed, count):
    """Random videos from a single frame to three hours, most of them short, with random options."""
    rng = random.Random(seed)
    for _ in range(count):
        rate = rng.choice(RATES)
        if rng.random() < 0.1:
            rate = Fraction(rng.randrange(1, 2**20), rng.randrange(1, 2**14) * 16 + 1)
        seconds = math.exp(rng.uniform(math.log(0.05), math.log(rng.choice([30, 200, 700, 10800]))))
        if rng.random() < 0.3:
            seconds = round(seconds)  # whole seconds are where the card's branches meet
        choose_fps = rng.choice([1, 2, 3, 5, 5, 10, 10, 30, 0.5, 2.5])
        card_limits = rng.random() < 0.5
        max_frames = 180 if card_limits else rng.choice([1, 7, 16, 32, 64, 128, 180, 256])
        max_packing = 3 if card_limits else rng.randint(1, 6)
        force = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6])
        yield max(1, round(seconds * rate)), rate, choose_fps, max_frames, max_packing, force


def main(readme, out):
    card = Card(readme)
    lines = []
    for count, rate, *options in combinations(seed=45, count=4800):
        fps = rate.numerator / rate.denominator
        try:
            indices, groups = card(count, fps, *options)
        except ZeroDivisionError:
            continue  # the card chose no frame
        ids = earlier_at_ties(count, fps, indices, [i for group in groups for i in group])
        data = np.asarray(indices, "<i8").tobytes() + np.asarray(ids, "<i4").tobytes()
        lines.append(f"{count} {rate.numerator} {rate.denominator} {' '.join(map(str, options))} "
                     f"{len(indices)} {len(groups[0])} {fnv1a(data):016x}\n")
    Path(out).write_text("".join(lines))
    print(f"{out}: {len(lines)} combinations")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
