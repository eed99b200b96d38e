"""Compares `minicpmv preprocess` with the original processor: ids, masks, bounds, slices, pixel values, errors.

HF_CODE: a folder with processing_minicpmv.py and its neighbours.
"""

import json
import os
import random
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import xxhash
from lib.hf_code import load_or_skip
from lib.tap import Tap
from PIL import Image

HF = load_or_skip()
PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
TINY = "tests/fixtures/tiny_processor"
MODEL = "../shared/minicpm-v-4.5"
TAG = "(<image>./</image>)"
WORDS = ["What ", "is this", "?", "\n", " ", "\u4e24\u5f20\u56fe\u7247", "e\u0301", "\U0001f600", "\u3000", "\t", "!",
         "<image>", "</image>", "<slice>", "</slice>", "<unk>", "<|im_end|>", "a<image>./</image>b", "(", "./"]
PLAIN = WORDS[:11]


class Ours:
    """`minicpmv preprocess --jsonl`, started again after each error, which ends it."""

    def __init__(self, model):
        self.model, self.process = model, None

    def __call__(self, request):
        if not self.process or self.process.poll() is not None:
            self.process = subprocess.Popen([PROGRAM, "preprocess", "-m", self.model, "--jsonl"],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        message = self.process.stderr.read().decode()
        return {"error": message, "code": self.process.wait()}

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.communicate()


def load_processor(folder):
    tokenizer = HF.tokenization_minicpmv_fast.MiniCPMVTokenizerFast.from_pretrained(folder, local_files_only=True)
    images = HF.image_processing_minicpmv.MiniCPMVImageProcessor.from_pretrained(folder, local_files_only=True)
    return HF.processing_minicpmv.MiniCPMVProcessor(images, tokenizer)


def prompt_of(processor, request):
    """What chat() makes of the images and the text."""
    if request.get("raw_prompt"):
        return request["prompt"]
    content = "\n".join([TAG] * len(request["images"]) + ([request["prompt"]] if "prompt" in request else []))
    messages = [{"role": "user", "content": content}]
    if request.get("system_prompt"):
        messages.insert(0, {"role": "system", "content": request["system_prompt"]})
    return processor.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True,
                                                   enable_thinking=request.get("enable_thinking", False))


def theirs(processor, request):
    images = [Image.open(path).convert("RGB") for path in request["images"]]
    groups = request.get("temporal_ids")
    try:
        result = processor([prompt_of(processor, request)], [images], max_slice_nums=request.get("max_slice_nums"),
                           use_image_id=request.get("use_image_id"), temporal_ids=groups and [groups],
                           max_length=request.get("max_inp_length") or None, return_tensors="pt")
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    hashes = [xxhash.xxh3_64_hexdigest(values.numpy().tobytes()) for values in result["pixel_values"][0]]
    return {"input_ids": result["input_ids"][0].tolist(),
            "attention_mask": result["attention_mask"][0].int().tolist(),
            "image_bound": result["image_bound"][0].tolist(),
            "tgt_sizes": [list(map(int, size)) for size in result["tgt_sizes"][0]],
            "temporal_ids": [[int(number) for number in group] for group in result["temporal_ids"][0]],
            "image_sizes": [list(image.size) for image in images],
            "pixel_values": [{"shape": list(values.shape), "xxh3_64": digest}
                             for values, digest in zip(result["pixel_values"][0], hashes)]}


def difference(found, expected):
    if "error" in found or "error" in expected:
        right = "error" in expected and found.get("code") in (2, 3)
        return None if right else f"ours: {found.get('error', 'answers')}, HF: {expected.get('error', 'answers')}"
    return next((key for key in expected if found[key] != expected[key]), None)


def check_all(tap, model, name, requests):
    processor, ours = load_processor(model), Ours(model)
    failures, raised = [], 0
    for request in requests:
        expected = theirs(processor, request)
        raised += "error" in expected
        what = difference(ours(request), expected)
        if what:
            failures.append(f"{json.dumps(request)}: {what}")
    ours.end()
    tap.check(requests and not failures, f"{name}: {len(requests)} requests, {raised} of them errors",
              "\n".join(failures[:5]))


def make_images(rng, folder, count, longest):
    paths = []
    for i in range(count):
        width, height = rng.randint(2, longest), rng.choice([2, *range(4, longest)])
        pixels = np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
        paths.append(str(Path(folder) / f"{i}.ppm"))
        Image.fromarray(pixels).save(paths[-1])
    return paths


def random_requests(rng, paths, count):
    requests = []
    for _ in range(count):
        images = [rng.choice(paths) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
        request = {"images": images}
        text = "".join(rng.choice(PLAIN * 5 + WORDS) for _ in range(rng.randint(0, 6)))
        if rng.random() < 0.5:
            request |= {"prompt": text, "system_prompt": rng.choice(["", "Be brief."]),
                        "enable_thinking": rng.choice([True, False])}
        else:
            request["raw_prompt"] = True
            request["prompt"] = text + "".join(TAG + rng.choice(PLAIN) for _ in images)
        if rng.random() < 0.3:
            request["max_slice_nums"] = rng.randint(1, 12)
        if rng.random() < 0.3:
            request["use_image_id"] = rng.choice([True, False])
        if rng.random() < 0.3:
            request["max_inp_length"] = rng.randint(1, 120)
        requests.append(request)
    return requests


def packed_requests(rng, paths, count):
    """Frames of one size a group, as frames of a video are."""
    requests = []
    for _ in range(count):
        images, groups = [], []
        for _ in range(rng.randint(1, 3)):
            size = rng.randint(1, 3)
            images += [rng.choice(paths)] * size
            groups.append([rng.randint(0, 99) for _ in range(size)])
        requests.append({"images": images, "temporal_ids": groups, "prompt": "And then?", "use_image_id": False})
    return requests


def main():
    tap, rng = Tap(), random.Random(11)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_images(rng, folder, 12, 200)
        raw = [request for request in random_requests(rng, paths, 400) if request.get("raw_prompt")]
        check_all(tap, TINY, "single bytes, 2 ids an image, raw prompts", raw)
        if not Path(MODEL, "vocab.json").is_file():
            tap.skip("the model's own processor", f"{MODEL} is not here")
        else:
            check_all(tap, MODEL, "the model's processor", random_requests(rng, paths, 120))
            check_all(tap, MODEL, "the model's processor, packed frames", packed_requests(rng, paths, 40))
    tap.end()


main()
