"""Models whose language model is packed as AWQ, GPTQ or NF4 give the same bits as twins that hold the unpacked numbers."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy
from safetensors.numpy import save_file

from lib.gguf_pair import read_tensors
from lib.tap import Tap

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
MODEL = "golden/demo"
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
CONFIGS = {"awq": {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True},
           "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128, "checkpoint_format": "gptq"},
           "nf4": {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}}


def pack(values, order):
    """[rows, columns] of numbers below 16 to [rows, columns / 8] of int32."""
    words = numpy.zeros((values.shape[0], values.shape[1] // 8), numpy.uint32)
    for place, column in enumerate(order):
        words |= values[:, column::8].astype(numpy.uint32) << numpy.uint32(4 * place)
    return words.view(numpy.int32)


def grouped(name, matrix, kind, group=128):
    """Tensors of a packed layer, and its numbers."""
    inputs = matrix.T.reshape(-1, group, matrix.shape[0])
    low, high = inputs.min(1, keepdims=True), inputs.max(1, keepdims=True)
    scales = ((high - low) / 15).astype(numpy.float16)
    zeros = numpy.clip(numpy.round(-low / scales.astype(numpy.float32)), 1, 15)
    q = numpy.clip(numpy.round(inputs / scales.astype(numpy.float32)) + zeros, 0, 15)
    numbers = ((q - zeros).astype(numpy.float32) * scales.astype(numpy.float32)).reshape(-1, matrix.shape[0]).T
    q, zeros, scales = q.reshape(-1, matrix.shape[0]).astype(int), zeros[:, 0].astype(int), scales[:, 0]
    stem = name.removesuffix(".weight")
    if kind == "awq":
        packed = {"qweight": pack(q, AWQ_ORDER), "qzeros": pack(zeros, AWQ_ORDER)}
    else:
        packed = {"qweight": numpy.ascontiguousarray(pack(q.T, range(8)).T), "qzeros": pack(zeros - 1, range(8))}
    return {f"{stem}.{part}": values for part, values in (packed | {"scales": numpy.ascontiguousarray(scales)}).items()}, numbers


def nf4(name, matrix, random, block=64):
    table = numpy.sort(random.random(16) * 2 - 1).astype(numpy.float32)
    nested = numpy.sort(random.random(256)).astype(numpy.float32)
    blocks = matrix.size // block
    codes = random.integers(0, 256, blocks).astype(numpy.uint8)
    absmax = (random.random(-(-blocks // 256)) * 0.1).astype(numpy.float32)
    offset = numpy.float32(0.01)
    scales = nested[codes] * absmax[numpy.arange(blocks) // 256] + offset
    q = random.integers(0, 16, matrix.size)
    state = {"quant_type": "nf4", "blocksize": block, "dtype": "float32", "shape": list(matrix.shape),
             "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": float(offset)}
    tensors = {name: (q[0::2] << 4 | q[1::2]).astype(numpy.uint8).reshape(-1, 1), name + ".quant_map": table,
               name + ".absmax": codes, name + ".nested_quant_map": nested, name + ".nested_absmax": absmax,
               name + ".quant_state.bitsandbytes__nf4": numpy.frombuffer(json.dumps(state).encode(), numpy.uint8)}
    return tensors, (table[q] * scales[numpy.arange(matrix.size) // block]).reshape(matrix.shape)


def write_folder(folder, tensors, quantization):
    os.makedirs(folder)
    for name in os.listdir(MODEL):
        if name.endswith((".json", ".txt")):
            shutil.copy(os.path.join(MODEL, name), folder)
    save_file({name: numpy.ascontiguousarray(values) for name, values in tensors.items()}, folder + "/model.safetensors")
    with open(MODEL + "/config.json") as file:
        config = json.load(file)
    with open(folder + "/config.json", "w") as file:
        json.dump(config | ({"quantization_config": quantization} if quantization else {}), file)


def check(tap, kind, original, folder):
    random = numpy.random.default_rng(45)
    packed, plain = {}, {}
    for name, values in original.items():
        if name.startswith("llm.model.layers.") and values.ndim == 2:
            tensors, numbers = nf4(name, values, random) if kind == "nf4" else grouped(name, values, kind)
            packed |= tensors
            plain[name] = numbers
        else:
            packed[name] = plain[name] = values
    dumps = []
    for which, tensors, quantization in (("packed", packed, CONFIGS[kind]), ("plain", plain, None)):
        path = f"{folder}/{kind}-{which}"
        write_folder(path, tensors, quantization)
        dumps.append(path + ".safetensors")
        subprocess.run([PROGRAM, "dump", "-m", path, "-i", "golden/demo/heldout/000-0.png", "-p", "What is it?", "-o",
                        dumps[-1]], stdout=subprocess.DEVNULL, check=True)
    same = open(dumps[0], "rb").read() == open(dumps[1], "rb").read()
    tap.check(same, f"{kind}: every tensor of a run has the bits of the unpacked twin's")
    done = subprocess.run([PROGRAM, "inspect", f"{folder}/{kind}-packed"], stdout=subprocess.PIPE, text=True)
    tap.check(done.returncode == 0 and "problem" not in done.stdout and "not used" not in done.stdout,
              f"{kind}: inspect finds no problem", done.stdout[-500:])


def main():
    tap = Tap()
    original = read_tensors(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        for kind in CONFIGS:
            check(tap, kind, original, folder)
    tap.end()


if __name__ == "__main__":
    sys.exit(main())
