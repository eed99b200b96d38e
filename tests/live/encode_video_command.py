"""Compares `preprocess --video` with the model card's encode_video, on videos of many lengths and frame rates.

HF_CODE: a folder with the model card, README.md. Of two ticks that are equally near, either is right.
"""

import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from lib.tap import Tap

sys.path.insert(0, "golden")
from encode_video import Card, combinations, ticks_of_ties  # noqa: E402

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
MODEL = "golden/models/base-f32"
MOST_PICTURES = 20000


def write_y4m(path, count, rate):
    """Gray pictures of one pixel."""
    header = f"YUV4MPEG2 W1 H1 F{rate.numerator}:{rate.denominator} Cmono\n"
    path.write_bytes(header.encode() + b"FRAME\n\x80" * count)


def ours(path, choose_fps, max_frames, max_packing, force_packing):
    options = ["--fps", str(choose_fps), "--max-frames", str(max_frames), "--packing", str(max_packing)]
    if force_packing:
        options += ["--force-packing", str(force_packing)]
    done = subprocess.run([PROGRAM, "preprocess", "-m", MODEL, "--video", str(path), "--json", "--quiet", *options],
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def difference(card, count, rate, options, found):
    """What is not as the card has it; "" where all is."""
    fps = rate.numerator / rate.denominator
    try:
        indices, groups = card(count, fps, *options)
    except ZeroDivisionError:  # the card chose no frame: here the video's rate is not rounded, and one is taken at least
        expected = max(1, round(min(options[0], fps) * min(options[1], count / fps)))
        return "" if len(found["frame_indices"]) == expected else f"{len(found['frame_indices'])} frames"
    if found["frame_indices"] != [int(i) for i in indices]:
        return f"frame_indices {found['frame_indices']}, expected {indices}"
    if [len(group) for group in found["temporal_ids"]] != [len(group) for group in groups]:
        return f"groups {found['temporal_ids']}, expected {groups}"
    if found["timestamps"] != [int(i) / fps for i in indices]:
        return f"timestamps {found['timestamps']}"
    ids, expected = sum(found["temporal_ids"], []), sum(groups, [])
    ties = ticks_of_ties(count, fps, indices)
    wrong = [i for i in range(len(ids)) if ids[i] != expected[i] and ids[i] not in ties.get(i, ())]
    return f"temporal_ids differ at {wrong}: {ids}, expected {expected}" if wrong else ""


def main():
    readme = Path(os.environ.get("HF_CODE") or "nowhere") / "README.md"
    if not readme.exists():
        print("1..0 # SKIP HF_CODE does not name a folder with the model card, README.md")
        return
    card, tap = Card(readme), Tap()
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "video.y4m"
        compared, wrong = 0, []
        for count, rate, *options in combinations(seed=46, count=500):
            rate = Fraction(rate.numerator, rate.denominator)
            if count > MOST_PICTURES:
                continue
            write_y4m(video, count, rate)
            problem = difference(card, count, rate, options, ours(video, *options))
            compared += 1
            if problem:
                wrong.append(f"{count} pictures at {rate}, options {options}: {problem[:500]}")
        tap.check(not wrong, f"{compared} videos are sampled as by the model card", "\n".join(wrong[:10]))
    tap.end()


main()
