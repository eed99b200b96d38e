"""Compares ref/image_processing_minicpmv.c with the original: grids, placeholders, pixel values bit for bit, errors.

HF_CODE: a folder with image_processing_minicpmv.py.
"""

import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from lib.hf_code import load_or_skip
from lib.tap import Tap
from PIL import Image

HF = load_or_skip().image_processing_minicpmv
TOOL = os.path.join(os.environ.get("BUILD", "build"), "tests/tools/preprocess_raw")
MODEL = {"max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14, "use_image_id": True}
SMALL = {"max_slice_nums": 4, "scale_resolution": 112, "patch_size": 14, "image_feature_size": 16}


def random_image(rng, size):
    """Noise on a random gradient, so that both smooth and rough places occur."""
    width, height = size
    numbers = np.random.default_rng(rng.randrange(2**32))
    slope = np.add.outer(np.linspace(0, numbers.integers(256), height), np.linspace(0, numbers.integers(256), width))
    noise = numbers.integers(0, numbers.integers(2, 256), (height, width, 3))
    return Image.fromarray(((slope[..., None] + noise) % 256).astype(np.uint8))


class Ours:
    """The test tool, kept running, and the configurations as folders."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def folder_of(self, config):
        folder = self.folder / str(abs(hash(json.dumps(config, sort_keys=True))))
        folder.mkdir(exist_ok=True)
        (folder / "preprocessor_config.json").write_text(json.dumps(config))
        return str(folder)

    def __call__(self, config, images, max_slice_nums=None, use_image_id=None, temporal_ids=None):
        request = {"folder": self.folder_of(config), "images": [list(image.size) for image in images],
                   "max_slice_nums": max_slice_nums or 0, "temporal_ids": temporal_ids,
                   "use_image_id": -1 if use_image_id is None else int(use_image_id)}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        for image in images:
            self.process.stdin.write(image.tobytes())
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if "error" not in reply:
            patch = config.get("patch_size", 14)
            reply["pixel_values"] = [self.process.stdout.read(4 * 3 * h * w * patch * patch)
                                     for h, w in reply["tgt_sizes"]]
        return reply


def theirs(config, images, max_slice_nums=None, use_image_id=None, temporal_ids=None):
    processor = HF.MiniCPMVImageProcessor(**config)
    try:
        result = processor.preprocess(images, max_slice_nums=max_slice_nums, temporal_ids=temporal_ids)
        placeholders = [processor.get_slice_image_placeholder(image.size, i, max_slice_nums, use_image_id)
                        for i, image in enumerate(images)]
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"placeholders": placeholders,
            "tgt_sizes": [list(map(int, size)) for size in result["tgt_sizes"][0]],
            "temporal_ids": result["temporal_ids"][0],
            "skip_image_idx": result["skip_image_idx"][0],
            "pixel_values": [values.tobytes() for values in result["pixel_values"][0]]}


def difference(a, b):
    """What differs first between two answers, None where nothing does. The words of errors may differ."""
    if "error" in a and "error" in b:
        return None
    if "error" in a or "error" in b:
        return f"ours: {a.get('error', 'answers')}, HF: {b.get('error', 'answers')}"
    return next((key for key in b if a[key] != b[key]), None)


def check_all(tap, ours, name, cases):
    """cases: (config, images, keyword arguments)."""
    failures = []
    raised = 0
    for config, images, options in cases:
        expected = theirs(config, images, **options)
        raised += "error" in expected
        what = difference(ours(config, images, **options), expected)
        if what:
            failures.append(f"{[image.size for image in images]} {config} {options}: {what}")
    tap.check(cases and not failures, f"{name}: {len(cases)} cases, {raised} of them errors", "\n".join(failures[:5]))


def random_sizes(rng, count, area):
    """Sides whose product is near `area` at most; every fourth pair is long and thin."""
    sizes = []
    while len(sizes) < count:
        aspect = 2 ** rng.uniform(-11, 11) if len(sizes) % 4 == 0 else 2 ** rng.uniform(-2, 2)
        pixels = area * rng.uniform(0, 1) ** 2
        size = (max(1, round((pixels * aspect) ** 0.5)), max(1, round((pixels / aspect) ** 0.5)))
        if max(size) < 60000:
            sizes.append(size)
    return sizes


def single_images(rng, config, count, area):
    cases = []
    for i, size in enumerate(random_sizes(rng, count, area)):
        options = {"max_slice_nums": i % 13 or None, "use_image_id": rng.choice([None, True, False])}
        cases.append((config, [random_image(rng, size)], options))
    return cases


def special_sizes(rng):
    """Areas at and beside the limits between slice counts, squares, one and three pixels."""
    sizes = [(w, h) for w in (1, 2, 3, 4, 13, 14, 15) for h in (1, 2, 3, 4, 14)]
    for slices in range(1, 10):
        sizes += [(112 * slices, 112), (112, 112 * slices), (112 * slices + 1, 112), (112, 112 * slices - 1)]
    sizes += [(side, side) for side in (111, 112, 113, 158, 159, 224, 300)]
    sizes += [(1, 4000), (4000, 1), (2, 9000), (9000, 2), (3, 4000), (4000, 3), (1, 12545), (12545, 2)]
    return [(SMALL, [random_image(rng, size)], {"max_slice_nums": rng.randint(1, 12)}) for size in sizes]


def conversations(rng):
    """Several images, of one conversation, whose first one decides about the order of channels."""
    sizes = [(50, 40), (40, 3), (40, 1), (3, 40), (1, 40), (300, 200)]
    return [(SMALL, [random_image(rng, rng.choice(sizes)) for _ in range(rng.randint(1, 4))], {}) for _ in range(60)]


def groups(rng):
    """Frame groups. Within a group frames are of one size, or the first one is the smallest in slices."""
    cases = []
    for _ in range(40):
        images, temporal_ids = [], []
        for _ in range(rng.randint(1, 3)):
            size, count = (rng.randint(20, 300), rng.randint(20, 300)), rng.randint(1, 4)
            images += [random_image(rng, size) for _ in range(count)]
            temporal_ids.append([rng.randint(0, 900) for _ in range(count)])
        cases.append((SMALL, images, {"temporal_ids": temporal_ids, "max_slice_nums": rng.choice([None, 1, 6])}))
    large, small = random_image(rng, (300, 300)), random_image(rng, (90, 100))
    for temporal_ids in ([[0, 1]], [[0], [1]], [[0]], [[0, 1, 2]], [[0, 1], []], [], [[-1], [-1]]):
        cases.append((SMALL, [large, small], {"temporal_ids": temporal_ids}))
    cases.append((SMALL, [small, large], {"temporal_ids": [[0, 1]]}))  # thumbnails alone
    return cases


def other_configurations(rng):
    cases = []
    for config in (
        {"scale_resolution": 224, "patch_size": 16, "max_slice_nums": 5, "image_feature_size": 4},
        {"scale_resolution": 100, "patch_size": 7, "im_start": "[", "im_end": "]", "slice_start": "(",
         "slice_end": ")", "unk": "\u00b7", "im_id_start": "#", "im_id_end": ":"},
        {"scale_resolution": 61, "patch_size": 10, "norm_mean": [0.48145466, 0.4578275, 0.40821073],
         "norm_std": [0.26862954, 0.26130258, 0.27577711]},
        {"scale_resolution": 30, "patch_size": 1},
        {"scale_resolution": 90, "patch_size": 3},
        {"slice_mode": False, "patch_size": 14},
        {"slice_mode": False, "patch_size": 3},
        {"slice_mode": False, "patch_size": 1, "norm_std": [1, 2, 0.5], "norm_mean": [0, 0.25, 1]},
    ):
        cases += single_images(rng, config, 30, 120 * 120)
        sizes = [(50, 3), (3, 50), (900, 3), (3000, 3), (900, 1), (20, 13), (13, 20)]
        cases += [(config, [random_image(rng, size)], {"max_slice_nums": most}) for size in sizes for most in (1, 9)]
    return cases


def check_larger_later_frames(tap, ours, rng):
    """A later frame with more slices than the first: cut by the first one's grid, where the original drops slices."""
    images = [random_image(rng, size) for size in ((224, 112), (330, 220), (230, 120))]
    options = {"temporal_ids": [[0, 10, 20]], "max_slice_nums": 9}
    original, first_grid = HF.MiniCPMVImageProcessor.get_sliced_grid, []

    def grid_of_first(self, image_size, max_slice_nums, nerver_split=False):
        if not first_grid:
            first_grid.append(original(self, image_size, max_slice_nums, nerver_split))
        return first_grid[0]

    HF.MiniCPMVImageProcessor.get_sliced_grid = grid_of_first
    expected = theirs(SMALL, images, **options)
    HF.MiniCPMVImageProcessor.get_sliced_grid = original
    expected.pop("placeholders")
    what = difference(ours(SMALL, images, **options), expected)
    tap.check(first_grid == [[2, 1]] and not what, "later frames with more slices follow the first one's grid", what)


def check_float32_ratio(tap, ours, rng):
    """Where the original's text has another grid than its slices, the slices are followed."""
    size, options = (2810, 4443), {"max_slice_nums": 10}
    image = random_image(rng, size)
    found = ours(MODEL, [image], **options)
    tap.check("error" not in found and found["placeholders"][0].count("<slice>") + 1 == len(found["tgt_sizes"]),
              "2810 x 4443 with 10 slices: as many placeholders as slices", found.get("error", len(found)))
    check_all(tap, ours, "2810 x 4443 with 10 slices, sizes as Python numbers", [(MODEL, [image], options)])


def main():
    tap, rng = Tap(), random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(folder)
        check_all(tap, ours, "the model's configuration", single_images(rng, MODEL, 78, 1300 * 1300))
        check_all(tap, ours, "small slices", single_images(rng, SMALL, 260, 500 * 500))
        check_all(tap, ours, "sizes on a border", special_sizes(rng))
        check_all(tap, ours, "several images", conversations(rng))
        check_all(tap, ours, "frame groups", groups(rng))
        check_all(tap, ours, "other configurations", other_configurations(rng))
        check_larger_later_frames(tap, ours, rng)
        check_float32_ratio(tap, ours, rng)
        ours.process.stdin.close()
    tap.end()


main()
