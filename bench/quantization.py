"""Measures what quantizing costs: the demo model's language model in each type, by `minicpmv quantize` and by ggml's own
quantizers with the same type for each tensor. Prints a table: bits a weight, error of the weights, KL divergence of the
next token from the original's, share of held-out questions answered right.

usage: bench/quantization.py [--ggml LIBRARY] [--items N] [--kl-items N] [TYPE...]

LIBRARY: a shared library with ggml's quantize_q4_0() and its kin (libggml-base.so of a build of llama.cpp); without it
the columns of ggml are left out. Needs numpy and gguf; run from the repository root after make."""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile

import gguf
import numpy

sys.path.insert(0, "tests/live")
from lib import gguf_pair  # noqa: E402

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
MODEL = "golden/demo"
TYPES = ["Q8_0", "Q6_K", "Q5_K_M", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_XS", "Q3_K_M", "Q2_K"]
FUNCTIONS = {"Q4_0": "q4_0", "Q4_1": "q4_1", "Q5_0": "q5_0", "Q5_1": "q5_1", "Q8_0": "q8_0", "Q2_K": "q2_K",
             "Q3_K": "q3_K", "Q4_K": "q4_K", "Q5_K": "q5_K", "Q6_K": "q6_K", "IQ4_NL": "iq4_nl", "IQ4_XS": "iq4_xs"}


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, check=True, text=True).stdout


def ggml_convert(library, kinds):
    """The conversion of gguf_pair: each tensor in the type that kinds names."""
    def convert(name, values):
        kind = kinds[gguf_pair.language_name(name)]
        if kind.name not in FUNCTIONS:
            return values.astype({"F32": numpy.float32, "F16": numpy.float16}[kind.name]), None
        size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        values = numpy.ascontiguousarray(values, numpy.float32)
        blocks = numpy.zeros((values.shape[0], values.shape[1] // size * block_bytes), numpy.uint8)
        quantize = getattr(library, "quantize_" + FUNCTIONS[kind.name])
        quantize.restype = ctypes.c_size_t
        quantize(values.ctypes.data_as(ctypes.c_void_p), blocks.ctypes.data_as(ctypes.c_void_p),
                 ctypes.c_int64(values.shape[0]), ctypes.c_int64(values.shape[1]), None)
        return blocks, kind
    return convert


def weight_error(path, original):
    """norm(stored - original) / norm(original) over all matrices."""
    error = total = 0
    for tensor in gguf.GGUFReader(path).tensors:
        values = original[tensor.name]
        if values.ndim == 2:
            stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
            error += ((stored.astype(float) - values)**2).sum()
            total += (values.astype(float)**2).sum()
    return (error / total)**0.5


def log_probabilities(model, items, folder):
    """[items, vocabulary] of the token after each prompt."""
    rows = []
    for item in items:
        case = os.path.join(folder, "case")
        os.makedirs(case, exist_ok=True)
        messages = json.loads(json.dumps(item["messages"]))
        for message in messages:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if "path" in part:
                    part["path"] = os.path.abspath(os.path.join(MODEL, part["path"]))
        with open(os.path.join(case, "case.json"), "w") as file:
            json.dump({"conversations": [messages]} | {key: item[key] for key in item if key in (
                "max_slice_nums", "temporal_ids", "system_prompt", "use_image_id")}, file)
        output = os.path.join(folder, "dump.safetensors")
        run("dump", *model, "--case", case, "-o", output)
        logits = gguf_pair.read_file(output)["llm.lm_head"].reshape(-1).astype(float)
        rows.append(logits - numpy.logaddexp.reduce(logits))
    return numpy.array(rows)


def accuracy(model, task):
    return json.loads(run("eval", *model, "--task", task, "--json").strip().splitlines()[-1])["accuracy"]


def measure(path, context):
    model = ("-m", path, "--mmproj", context["vision"], "--preprocessor-config", f"{MODEL}/preprocessor_config.json")
    quantized = log_probabilities(model, context["kl_items"], context["folder"])
    original = context["log_probabilities"]
    kl = (numpy.exp(original) * (original - quantized)).sum(axis=1).mean()
    return f"{weight_error(path, context['weights']):.5f}", f"{kl:.2e}", f"{100 * accuracy(model, context['task']):.1f} %"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ggml")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--kl-items", type=int, default=50)
    parser.add_argument("types", nargs="*", default=TYPES)
    options = parser.parse_args()
    library = ctypes.CDLL(options.ggml) if options.ggml else None
    with open(f"{MODEL}/heldout.jsonl") as file:
        lines = file.readlines()
    tensors = gguf_pair.read_tensors(MODEL)
    task = os.path.join(MODEL, f"quantization-{os.getpid()}.jsonl")  # beside the images that it names
    with tempfile.TemporaryDirectory() as folder:
        try:
            with open(task, "w") as file:
                file.writelines(lines[:options.items])
            vision = os.path.join(folder, "vision.gguf")
            run("quantize", "-m", MODEL, "--vision-output", vision, "--vision-type", "F32")
            context = {"folder": folder, "vision": vision, "task": task,
                       "kl_items": [json.loads(line) for line in lines[:options.kl_items]],
                       "weights": {gguf_pair.language_name(name): values for name, values in tensors.items()
                                   if name.startswith("llm.")}}
            context["log_probabilities"] = log_probabilities(("-m", MODEL), context["kl_items"], folder)
            print(f"Original: {100 * accuracy(('-m', MODEL), task):.1f} % of {options.items} items right.\n")
            print("| type | bits a weight | weights: ours | ggml | KL: ours | ggml | right: ours | ggml |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            for name in options.types:
                path = os.path.join(folder, "ours.gguf")
                bits = run("quantize", "-m", MODEL, "--type", name, "-o", path).strip().splitlines()[-1].split()[1]
                ours, theirs = measure(path, context), ("", "", "")
                if library:
                    kinds = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}
                    other = os.path.join(folder, "theirs.gguf")
                    gguf_pair.write_language(MODEL, other, tensors, ggml_convert(library, kinds))
                    theirs = measure(other, context)
                print(f"| {name} | {bits} | " + " | ".join(f"{a} | {b}" for a, b in zip(ours, theirs)) + " |", flush=True)
        finally:
            os.unlink(task)


main()
