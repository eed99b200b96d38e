"""Compares ref/pillow_resize.c with Pillow, byte by byte, on random images of several hundred size pairs.

The Pillow that this Python has is compared first. Older ones, whose passes run in another order, are installed into
$BUILD/pillow with pip, and skipped where that fails.
"""

import hashlib
import os
import random
import struct
import subprocess
import sys

from lib.tap import Tap

PILLOW_13, PILLOW_12_2, PILLOW_BEFORE_12_2 = range(3)  # enum PillowVersion
BUILD = os.environ.get("BUILD", "build")
TOOL = os.path.join(BUILD, "tests/tools/resize_raw")
OLDER = ["12.3.0", "12.1.1", "11.3.0"]


def order_of(version):
    major, minor = (int(part) for part in version.split(".")[:2])
    if major >= 13:
        return PILLOW_13
    return PILLOW_12_2 if (major, minor) >= (12, 2) else PILLOW_BEFORE_12_2


def size_pairs():
    """((width, height), (new width, new height)), among them the borders of each version's rule."""
    chosen = random.Random(1)
    pairs = [((w, h), (nw, nh)) for w in (1, 2, 3, 7) for h in (1, 2, 3, 7) for nw in (1, 2, 5) for nh in (1, 2, 5)]
    pairs += [((448, 448), (448, 448)), ((448, 300), (448, 150)), ((300, 448), (150, 448)), ((3, 300), (14, 299)),
              ((3, 301), (14, 300)), ((3, 301), (14, 301)), ((1, 4000), (14, 28000)), ((4000, 1), (28000, 14)),
              ((5000, 2), (14, 14)), ((2, 5000), (14, 14)), ((1, 101), (14, 100)), ((1, 100), (14, 99))]
    for _ in range(60):  # in_h - out_h = 2 * (in_w - out_w), and one to each side
        width, height, fewer = chosen.randint(20, 90), chosen.randint(60, 200), chosen.randint(-15, 18)
        for step in (-1, 0, 1):
            if height - 2 * fewer + step > 0:
                pairs.append(((width, height), (width - fewer, height - 2 * fewer + step)))
    for _ in range(400):
        a, b, c, d = (int(2 ** chosen.uniform(0, 9.6)) for _ in range(4))
        pairs.append(((a, b), (c, d)))
    return pairs


def pixels_of(index, size):
    """Noise, or, for every third image, blocks of black and white, which overshoot."""
    made = random.Random(index)
    count = size[0] * size[1] * 3
    if index % 3:
        return made.randbytes(count)
    blocks = b"".join(made.choice((b"\0", b"\xff")) * made.randint(1, 40) for _ in range(count // 10 + 1))
    return (blocks * (count // len(blocks) + 1))[:count]


def run_as_pillow():
    """The other half: prints the version of the Pillow at hand, and a digest a size pair."""
    import PIL
    from PIL import Image

    print(PIL.__version__)
    for index, (size, new_size) in enumerate(size_pairs()):
        image = Image.frombytes("RGB", size, pixels_of(index, size))
        resized = image.resize(new_size, resample=Image.Resampling.BICUBIC)
        print(hashlib.sha256(resized.tobytes()).hexdigest())


def digests_of_pillow(folder=None):
    environment = dict(os.environ, **({"PYTHONPATH": folder} if folder else {}))
    lines = subprocess.run([sys.executable, __file__, "--pillow"], env=environment, check=True, capture_output=True,
                           text=True).stdout.split()
    return lines[0], lines[1:]


def digests_of_ours(order):
    with subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for index, (size, new_size) in enumerate(size_pairs()):
            process.stdin.write(struct.pack("5i", order, *size, *new_size) + pixels_of(index, size))
            process.stdin.flush()
            yield hashlib.sha256(process.stdout.read(new_size[0] * new_size[1] * 3)).hexdigest()
        process.stdin.close()


def install(version):
    target = os.path.join(BUILD, "pillow", version)
    if not os.path.isdir(os.path.join(target, "PIL")):
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, f"pillow=={version}"]
        if subprocess.run(command, capture_output=True).returncode != 0:
            return None
    return target


def compare(tap, version, theirs):
    pairs = size_pairs()
    ours = list(digests_of_ours(order_of(version)))
    wrong = [pairs[i] for i in range(len(pairs)) if ours[i] != theirs[i]]
    tap.check(len(theirs) == len(pairs) and not wrong, f"Pillow {version}: {len(pairs)} size pairs byte for byte",
              f"{len(wrong)} differ, the first ones: {wrong[:5]}")


def main():
    tap = Tap()
    compare(tap, *digests_of_pillow())
    for version in OLDER:
        folder = install(version)
        if folder:
            compare(tap, *digests_of_pillow(folder))
        else:
            tap.skip(f"Pillow {version}", "cannot be installed for this Python")
    tap.end()


if sys.argv[1:] == ["--pillow"]:
    run_as_pillow()
else:
    main()
