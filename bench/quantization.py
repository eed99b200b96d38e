"""Measures what quantizing costs: the demo model's language model in each type, by `minicpmv quantize` and by ggml's own
quantizers with the same type for each tensor. Prints a table: bits a weight, error of the weights, KL divergence from
the original over the tokens of held-out answers, share of held-out questions answered right.

usage: bench/quantization.py [--ggml LIBRARY] [--every N] [TYPE...]

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
TYPES = ["Q8_0", "Q6_K", "Q5_1", "Q5_K_M", "Q5_K_S", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "IQ4_NL", "IQ4_XS", "Q4_0",
         "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"]
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


def evaluate(model, *arguments):
    """The last line of `minicpmv eval` with weights widened, so that only the types differ."""
    return json.loads(run("eval", *model, "--dtype", "f32", *arguments, "--json").strip().splitlines()[-1])


def measure(path, context):
    model = ("-m", path, "--mmproj", context["vision"], "--preprocessor-config", f"{MODEL}/preprocessor_config.json")
    kl = evaluate(model, "--task", context["spoken"], "--likelihood", "--check", context["kept"], "--max-kl", "99")["kl"]
    right = evaluate(model, "--task", context["task"])["accuracy"]
    return f"{weight_error(path, context['weights']):.5f}", f"{kl:.2e}", f"{100 * right:.1f} %"


def write_items(path, lines, folder):
    """The task file `path` of items whose pictures are in `folder`."""
    with open(path, "w") as file:
        for line in lines:
            item = json.loads(line)
            for message in item["messages"]:
                for part in message["content"]:
                    if "path" in part:
                        part["path"] = os.path.join(folder, part["path"])
            file.write(json.dumps(item) + "\n")
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ggml")
    parser.add_argument("--every", type=int, default=5, help="of the held-out items, those that are asked")
    parser.add_argument("types", nargs="*", default=TYPES)
    options = parser.parse_args()
    library = ctypes.CDLL(options.ggml) if options.ggml else None
    with open(f"{MODEL}/heldout.jsonl") as file:
        lines = file.readlines()[::options.every]
    tensors = gguf_pair.read_tensors(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        vision, kept = os.path.join(folder, "vision.gguf"), os.path.join(folder, "kept")
        run("quantize", "-m", MODEL, "--vision-output", vision, "--vision-type", "F32")
        task = write_items(os.path.join(folder, "items.jsonl"), lines, os.path.abspath(MODEL))
        # Answers that follow thoughts are not likely without them.
        spoken = write_items(os.path.join(folder, "spoken.jsonl"),
                             [line for line in lines if not json.loads(line).get("enable_thinking")],
                             os.path.abspath(MODEL))
        original = evaluate(("-m", MODEL), "--task", spoken, "--likelihood", "--save", kept)
        right = evaluate(("-m", MODEL), "--task", task)["accuracy"]
        context = {"vision": vision, "task": task, "spoken": spoken, "kept": kept,
                   "weights": {gguf_pair.language_name(name): values for name, values in tensors.items()
                               if name.startswith("llm.")}}
        print(f"Original: {100 * right:.1f} % of {len(lines)} items right; KL over {original['tokens']} tokens of "
              "answers.\n")
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


main()
