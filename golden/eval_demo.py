#!/usr/bin/env python3
"""Held-out accuracy by ability, computed with PyTorch: what `minicpmv eval --task` computes in C.

Reads a task file, a JSON object a line: `messages` (HF message form), `answer`, `ability`, and where they apply
`temporal_ids`, `max_slice_nums`, `enable_thinking`, `max_new_tokens`. Image paths are relative to the file. Answers are
greedy. An item is right when what follows its last </think> equals `answer`. Prints one JSON object.
"""

import argparse
import json
import sys
import time
from pathlib import Path

# First: it sets what NumPy and torch read when they start.
from hf_model import InputError, load_code, load_model, load_processor

import numpy as np
import torch
from PIL import Image

MAX_NEW_TOKENS = 64


def read_task(file: Path) -> list[dict]:
    items = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            item = json.loads(line)
            item["messages"], item["answer"], item["ability"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file}: line {number}: no messages, answer and ability: {error}") from error
        items.append(item)
    return items


def prompt_of(item: dict, folder: Path, tokenizer) -> tuple[str, list[Image.Image]]:
    """The prompt's text and its images, as the model's chat() makes them."""
    messages, images = [], []
    for message in item["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = []
        for part in parts:
            if part["type"] == "image":
                images.append(Image.open(folder / part["path"]).convert("RGB"))
                texts.append("(<image>./</image>)")
            else:
                texts.append(part["text"])
        messages.append({"role": message["role"], "content": "\n".join(texts)})
    thinking = item.get("enable_thinking", False)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinking)
    return text, images


def change_times(times: list[list[int]], way: str, rng) -> list[list[int]]:
    if way == "shuffled":
        return [[int(t) for t in rng.permutation(group)] for group in times]
    return [[-1] * len(group) for group in times] if way == "none" else times


@torch.inference_mode()
def answer_item(model, processor, item: dict, folder: Path, arguments, rng) -> str:
    text, images = prompt_of(item, folder, processor.tokenizer)
    times = item.get("temporal_ids")
    inputs = processor(
        [text],
        [images],
        max_slice_nums=arguments.max_slice_nums or item.get("max_slice_nums"),
        temporal_ids=None if times is None else [change_times(times, arguments.times, rng)],
        return_tensors="pt",
    )
    inputs.pop("image_sizes")
    limit = item.get("max_new_tokens", MAX_NEW_TOKENS)
    answer = model.generate(
        **inputs, tokenizer=processor.tokenizer, decode_text=True, max_new_tokens=limit, do_sample=False, num_beams=1
    )[0]
    return "<think>\n" + answer if item.get("enable_thinking") else answer


def is_right(item: dict, answer: str) -> bool:
    return answer.split("</think>")[-1].strip() == item["answer"]


def summarize(items: list[dict], right: list[bool]) -> dict:
    abilities = sorted({item["ability"] for item in items})
    share = lambda marks: {"items": len(marks), "accuracy": sum(marks) / len(marks)}
    by_ability = {a: share([r for item, r in zip(items, right) if item["ability"] == a]) for a in abilities}
    return share(right) | {"by_ability": by_ability}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hf-code", type=Path, required=True, metavar="DIR", help="folder with the model's .py files")
    parser.add_argument("-m", "--model", type=Path, default=Path(__file__).parent / "demo", metavar="DIR")
    parser.add_argument("--task", type=Path, default=Path(__file__).parent / "demo/heldout.jsonl", metavar="FILE")
    parser.add_argument("--ability", help="only the items of this ability")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th item")
    parser.add_argument("--max-slice-nums", type=int, metavar="N", help="for every item; 1 leaves the overview alone")
    parser.add_argument("--times", choices=("given", "shuffled", "none"), default="given", help="what frames are told")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="write each answer here, a JSON string a line")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        items = read_task(arguments.task)
        items = [item for item in items if arguments.ability in (None, item["ability"])][:: arguments.every]
        code = load_code(arguments.hf_code)
        model, processor = load_model(code, arguments.model, torch.float32), load_processor(code, arguments.model)
        rng = np.random.default_rng(1)
        begin = time.monotonic()
        folder = arguments.task.parent
        answers = [answer_item(model, processor, item, folder, arguments, rng) for item in items]
    except (InputError, OSError) as error:
        print(f"eval_demo.py: {error}", file=sys.stderr)
        return 3
    print(f"{len(items)} items in {time.monotonic() - begin:.1f} s", file=sys.stderr)
    if arguments.answers:
        lines = [json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers]
        arguments.answers.write_text("".join(lines), encoding="utf-8")
    print(json.dumps(summarize(items, [is_right(item, answer) for item, answer in zip(items, answers)]), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
