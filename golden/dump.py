#!/usr/bin/env python3
"""Writes golden.safetensors (and exact.safetensors) for a case: every module's output in the PyTorch model.

See golden/README.md for the form of a case. HF's own code does the work, from a folder that the user gives; hooks
record what each module returns on the prefill.
"""

import argparse
import fnmatch
import json
import struct
import sys
import time
import traceback
from pathlib import Path

# First: it sets what NumPy and torch read when they start.
from hf_model import InputError, exact_arithmetic, hash_weights, load_code, load_model, load_processor, versions

import torch
from PIL import Image

CASE_KEYS = {
    "about",
    "model",
    "conversations",
    "system_prompt",
    "max_slice_nums",
    "use_image_id",
    "temporal_ids",
    "enable_thinking",
    "max_inp_length",
    "generate",
    "exact",
    "keep",
    "keep_pixels",
}
DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.int32: "I32", torch.uint8: "U8"}
IMAGE_TAG = "(<image>./</image>)"
# Modules whose output is no tensor of its own: they hand on what the last module inside them returned, or a table.
CONTAINERS = {
    "",
    "llm",
    "llm.model",
    "llm.model.rotary_emb",
    "vpm.encoder",
    "vpm.embeddings.patch_embedding",
    "vpm.embeddings.position_embedding",
}


class ModelError(Exception):
    """HF's code raised: some conversations are more than it can take."""


def progress(words: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {words}", file=sys.stderr)


def read_case(file: Path) -> dict:
    try:
        case = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{file}: {error}") from error
    unknown = set(case) - CASE_KEYS
    if unknown:
        raise InputError(f"{file}: unknown keys {sorted(unknown)}; known are {sorted(CASE_KEYS)}")
    if not case.get("conversations"):
        raise InputError(f"{file}: no conversations")
    names = [setting.get("name") for setting in case.get("generate", [])]
    if None in names or len(set(names)) != len(names):
        raise InputError(f"{file}: each setting under generate needs a name of its own, found {names}")
    return case


def read_conversation(messages: list[dict], folder: Path) -> tuple[list[dict], list[Image.Image]]:
    """Messages with their parts joined line by line as `chat` joins them, and the images in their order."""
    joined, images = [], []
    for message in messages:
        parts = message["content"]
        lines = []
        for part in [{"type": "text", "text": parts}] if isinstance(parts, str) else parts:
            if part["type"] == "image":
                image = Image.open(folder / part["path"])
                image.load()
                images.append(image)
                lines.append(IMAGE_TAG)
            elif part["type"] == "text":
                lines.append(part["text"])
            else:
                raise InputError(f"{folder}: a part of type {part['type']!r}; image and text are known")
        joined.append({"role": message["role"], "content": "\n".join(lines)})
    return joined, images


def run_processor(processor, case: dict, folder: Path):
    """What `chat` does before it generates: the prompts, and the model's inputs."""
    prompts, images = [], []
    for messages in case["conversations"]:
        joined, found = read_conversation(messages, folder)
        if case.get("system_prompt"):
            joined.insert(0, {"role": "system", "content": case["system_prompt"]})
        prompts.append(
            processor.tokenizer.apply_chat_template(
                joined,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=case.get("enable_thinking", False),
            )
        )
        images.append(found)
    inputs = processor(
        prompts,
        images,
        max_slice_nums=case.get("max_slice_nums"),
        use_image_id=case.get("use_image_id"),
        temporal_ids=case.get("temporal_ids"),
        max_length=case.get("max_inp_length", 16384),
        return_tensors="pt",
    ).to("cpu")
    inputs.pop("image_sizes")
    return prompts, inputs


def as_tensor(output) -> torch.Tensor:
    """A module's output; of several values the first."""
    while not isinstance(output, torch.Tensor):
        output = output[0]
    return output


class Recorder:
    """Records what each module of `model` returns while it is entered."""

    def __init__(self, model):
        self.model = model
        self.calls: dict[str, list[torch.Tensor]] = {}
        self.handles = []

    def __enter__(self):
        for name, module in self.model.named_modules():
            if name not in CONTAINERS and not isinstance(module, torch.nn.ModuleList):
                self.handles.append(module.register_forward_hook(self.record_output(name)))
        self.handles.append(self.model.llm.register_forward_pre_hook(self.record_embeddings, with_kwargs=True))
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()

    def record_output(self, name: str):
        def hook(_module, _inputs, output):
            self.calls.setdefault(name, []).append(as_tensor(output).detach().clone())

        return hook

    def record_embeddings(self, _module, _positional, named):
        self.calls.setdefault("inputs_embeds", [named["inputs_embeds"].detach().clone()])

    def tensors(self, keep: list[str]) -> dict[str, torch.Tensor]:
        """By module path, of the modules that a pattern in `keep` matches. A module of the vision encoder that ran in
        several batches gives one tensor a batch; of any other that ran several times (the resampler, group by group)
        the first call stands."""
        found = {}
        for name, outputs in self.calls.items():
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in keep):
                continue
            if name.split(".")[0] == "vpm" and len(outputs) > 1:
                found.update({f"{name}#{batch}": output for batch, output in enumerate(outputs)})
            else:
                found[name] = outputs[0]
        return found


def generate(model, processor, inputs, settings: dict) -> torch.Tensor:
    """The ids that the model's own `generate` returns, [conversations, new tokens]."""
    return model.generate(**inputs, tokenizer=processor.tokenizer, **settings)


def record_prefill(model, processor, inputs) -> Recorder:
    with Recorder(model) as recorder:
        generate(model, processor, inputs, {"num_beams": 1, "max_new_tokens": 1})
    return recorder


def input_tensors(inputs) -> dict[str, torch.Tensor]:
    tensors = {
        "input_ids": inputs["input_ids"].to(torch.int32),
        "attention_mask": inputs["attention_mask"].to(torch.uint8),
    }
    for i, bounds in enumerate(inputs["image_bound"]):
        tensors[f"image_bound.{i}"] = bounds.to(torch.int32)
    for i, sizes in enumerate(inputs["tgt_sizes"]):
        tensors[f"tgt_sizes.{i}"] = torch.as_tensor(sizes, dtype=torch.int32).reshape(-1, 2)
    for i, slices in enumerate(inputs["pixel_values"]):
        for j, pixels in enumerate(slices):
            tensors[f"pixel_values.{i}.{j}"] = pixels
    return tensors


def plain(value):
    """Nested lists with numbers in place of tensors."""
    return [plain(item) for item in value] if isinstance(value, list) else int(value)


def save(file: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file whose bytes depend on nothing but the arguments (the library shuffles the metadata)."""
    header, blocks, offset = {"__metadata__": dict(sorted(metadata.items()))}, [], 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        block = tensor.contiguous().numpy().tobytes()
        span = [offset, offset + len(block)]
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": span}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def write(file: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    save(file, tensors, metadata)
    progress(f"{file}: {len(tensors)} tensors, {file.stat().st_size} bytes")


def dump(code, model_folder: Path, case: dict, case_folder: Path, output: Path, exact: bool) -> None:
    processor = load_processor(code, model_folder)
    prompts, inputs = run_processor(processor, case, case_folder)
    metadata = versions() | {"weights_xxh3": hash_weights(model_folder)}

    model = load_model(code, model_folder, torch.float32)
    progress(f"prefill in FP32, {tuple(inputs['input_ids'].shape)} tokens")
    recorder = record_prefill(model, processor, inputs)
    keep = case.get("keep", ["*"])
    tensors = input_tensors(inputs) | recorder.tensors(keep)
    if not case.get("keep_pixels", True):
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("pixel_values.")}
    texts = {}
    for setting in case.get("generate", []):
        options = dict(setting)
        name = options.pop("name")
        ids = generate(model, processor, inputs, options)
        tensors[f"generated_ids.{name}"] = ids.to(torch.int32)
        texts[f"text.{name}"] = json.dumps(model._decode_text(ids, processor.tokenizer), ensure_ascii=False)
        progress(f"{name}: {tuple(ids.shape)} ids")
    output.mkdir(parents=True, exist_ok=True)
    said = {
        "prompts": json.dumps(prompts, ensure_ascii=False),
        "temporal_ids": json.dumps(plain(inputs["temporal_ids"])),
    }
    write(output / "golden.safetensors", tensors, said | texts | metadata)

    if exact:
        model = load_model(code, model_folder, torch.float64)
        progress("prefill in FP64")
        with exact_arithmetic():
            recorder = record_prefill(model, processor, inputs)
        tensors = recorder.tensors(keep)
        tensors.pop("inputs_embeds", None)
        write(output / "exact.safetensors", tensors, {"note": "FP64 run of the same model"} | metadata)


def dump_case(code, file: Path, arguments: argparse.Namespace) -> None:
    case = read_case(file)
    if not arguments.model and "model" not in case:
        raise InputError(f"{file}: names no model, and no --model is given")
    model_folder = arguments.model or file.parent / case["model"]
    output = arguments.output or file.parent
    progress(f"{file} with {model_folder}")
    try:
        dump(code, model_folder, case, file.parent, output, arguments.exact or case.get("exact", False))
    except (InputError, OSError):
        raise
    except Exception as error:
        raise ModelError(f"{file}: the model's own code raises {type(error).__name__}: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hf-code", type=Path, required=True, metavar="DIR", help="folder with the model's .py files")
    parser.add_argument("--model", type=Path, metavar="DIR", help="folder in HF layout (default: what the case names)")
    parser.add_argument(
        "--case", type=Path, required=True, nargs="+", metavar="CASE", help="case.json, or the folder it is in"
    )
    parser.add_argument("--exact", action="store_true", help="write exact.safetensors, too, whatever the case says")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write (default: beside the case)")
    arguments = parser.parse_args()

    # One thread, so that the sums are those of every other run.
    torch.set_num_threads(1)
    try:
        if arguments.output and len(arguments.case) > 1:
            raise InputError("-o takes one case")
        code = load_code(arguments.hf_code)
        for path in arguments.case:
            dump_case(code, path / "case.json" if path.is_dir() else path, arguments)
    except (InputError, OSError) as error:
        print(f"dump.py: {error}", file=sys.stderr)
        return 3
    except ModelError as error:
        traceback.print_exception(error.__cause__)
        print(f"dump.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
