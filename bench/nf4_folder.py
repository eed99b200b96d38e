#!/usr/bin/env python3
"""Writes the demo model with its decoder's matrices in NF4, as transformers saves them with bitsandbytes: blocks of 64, a
scale each.

usage: bench/nf4_folder.py FOLDER

Needs numpy, gguf and safetensors; run from the repository root. bench/stored_types.sh measures what this writes."""

import json
import os
import shutil
import sys

import numpy
from safetensors.numpy import save_file

sys.path.insert(0, "tests/live")
from lib.gguf_pair import read_tensors  # noqa: E402

MODEL, BLOCK = "golden/demo", 64
# bitsandbytes, functional.py: create_normal_map.
LEVELS = numpy.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                      -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                      0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                      0.7229568362236023, 1.0], numpy.float32)


def nf4(name, matrix):
    blocks = matrix.reshape(-1, BLOCK)
    absmax = numpy.abs(blocks).max(1)
    middles = (LEVELS[1:] + LEVELS[:-1]) / 2
    codes = numpy.searchsorted(middles, blocks / numpy.where(absmax > 0, absmax, 1)[:, None]).reshape(-1)
    state = {"quant_type": "nf4", "blocksize": BLOCK, "dtype": "float32", "shape": list(matrix.shape)}
    return {name: (codes[0::2] << 4 | codes[1::2]).astype(numpy.uint8).reshape(-1, 1), name + ".quant_map": LEVELS,
            name + ".absmax": absmax,
            name + ".quant_state.bitsandbytes__nf4": numpy.frombuffer(json.dumps(state).encode(), numpy.uint8)}


def main():
    folder, tensors = sys.argv[1], {}
    os.makedirs(folder, exist_ok=True)
    for name, values in read_tensors(MODEL).items():
        values = numpy.ascontiguousarray(values, numpy.float32)
        is_packed = name.startswith("llm.model.layers.") and values.ndim == 2
        tensors |= nf4(name, values) if is_packed else {name: values}
    save_file(tensors, folder + "/model.safetensors")
    for name in os.listdir(MODEL):
        if name.endswith((".json", ".txt")):
            shutil.copy(os.path.join(MODEL, name), folder)
    with open(MODEL + "/config.json") as file:
        config = json.load(file)
    quantization = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    with open(folder + "/config.json", "w") as file:
        json.dump(config | {"quantization_config": quantization}, file)


if __name__ == "__main__":
    main()
