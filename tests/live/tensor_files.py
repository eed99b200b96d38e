"""Compares formats/safetensors.c and npy.c with Python's safetensors and NumPy: random files of every type that torch has
are read and written again, and damaged headers that safetensors refuses are refused."""

import json
import os
import random
import struct
import subprocess
import tempfile

import numpy
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from lib.tap import Tap

TOOL = os.path.join(os.environ.get("BUILD", "build"), "tests/tools/repack_tensors")
TYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.int64,
         torch.uint64, torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64,
         torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]


class Repacker:
    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, path):
        """(status, words)"""
        self.process.stdin.write(f"{path} {self.folder}/copy.safetensors {self.folder}\n")
        self.process.stdin.flush()
        status, words = self.process.stdout.readline().split(None, 1)
        return int(status), words.strip()


def random_tensor(chosen, dtype):
    shape = [chosen.choice((0, 1, 2, 3, 5)) if chosen.random() < 0.2 else chosen.randint(1, 5)
             for _ in range(chosen.randint(0, 4))]
    count = int(numpy.prod(shape, dtype=int))
    if dtype is torch.bool:
        return torch.tensor([chosen.random() < 0.5 for _ in range(count)], dtype=dtype).reshape(shape)
    size = torch.empty((), dtype=dtype).element_size()
    raw = torch.frombuffer(bytearray(chosen.randbytes(count * size + 8)), dtype=torch.uint8)
    return raw[:count * size].clone().view(dtype).reshape(shape)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.reshape(-1).contiguous().view(torch.uint8).equal(
        b.reshape(-1).contiguous().view(torch.uint8))


def same_array(array, tensor):
    """Bit for bit; types that NumPy lacks as float32, where only the kind of a NaN may differ."""
    try:
        wanted = tensor.numpy()
    except TypeError:
        wanted = tensor.to(torch.float32).numpy()
        return array.dtype == wanted.dtype and numpy.array_equal(array, wanted, equal_nan=True)
    return array.dtype == wanted.dtype and array.shape == wanted.shape and array.tobytes() == wanted.tobytes()


def names_in_order(path):
    """By offset; tensors without data, which share theirs, by name."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    del header["__metadata__"]
    return sorted(header, key=lambda name: (header[name]["data_offsets"], name))


def compare_good(tap, folder, repack):
    chosen, wrong = random.Random(1), []
    for number in range(100):
        tensors = {f"{chosen.choice('äbc.')}{i}": random_tensor(chosen, chosen.choice(TYPES)) for i in range(20)}
        path = os.path.join(folder, "good.safetensors")
        save_file(tensors, path, {"key": "välue\n"})
        status, words = repack(path)
        if status != 0:
            wrong.append(words)
            continue
        copies = load_file(f"{folder}/copy.safetensors")
        with safe_open(f"{folder}/copy.safetensors", "pt") as file:
            wrong += [f"{number}: metadata"] if file.metadata() != {"key": "välue\n"} else []
        order = names_in_order(path)
        wrong += [f"{number}: {name}" for name in tensors if not same_bits(tensors[name], copies[name])]
        wrong += [f"{number}: {name}, .npy" for i, name in enumerate(order)
                  if not same_array(numpy.load(f"{folder}/{i}.npy"), tensors[name])]
    tap.check(not wrong, "100 files of 20 tensors, read and written again as safetensors and .npy", "\n".join(wrong[:9]))


def damage(chosen, data):
    """Changes a valid file's header, or its length."""
    length = struct.unpack("<Q", data[:8])[0]
    header, rest = json.loads(data[8:8 + length]), data[8 + length:]
    kind = chosen.randrange(8)
    if kind == 0:
        return data[:chosen.randrange(len(data))]
    if kind == 1:
        return data + b"\0" * chosen.randint(1, 9)
    if kind == 2:
        at, bit = divmod(chosen.randrange(8 * (8 + length)), 8)
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]
    info = header[chosen.choice(list(header))]
    if kind == 3:
        info["data_offsets"][chosen.randrange(2)] += chosen.choice((-8, -1, 1, 8, 1 << 62))
    elif kind == 4:
        info["dtype"] = chosen.choice(("F32", "U8", "F4", "F6_E2M3", "I64", "X"))
    elif kind == 5:
        info["shape"] = info["shape"] + [chosen.choice((0, 1, 2, 1 << 61, 1 << 63, -1))]
    elif kind == 6:
        del info[chosen.choice(list(info))]
    else:
        info["shape"] = [size + chosen.choice((0, 0, 1)) for size in info["shape"]]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + rest


def compare_damaged(tap, folder, repack):
    chosen, wrong, refused, both, stricter = random.Random(2), [], 0, 0, 0
    for number in range(2000):
        path = os.path.join(folder, "damaged.safetensors")
        save_file({f"t{i}": random_tensor(chosen, chosen.choice(TYPES)) for i in range(3)}, path)
        with open(path, "rb") as file:
            data = damage(chosen, file.read())
        with open(path, "wb") as file:
            file.write(data)
        try:
            with safe_open(path, "pt"):
                theirs = True
        except SafetensorError:
            theirs = False
        status, words = repack(path)
        refused += not theirs
        both += theirs and status == 0
        stricter += theirs and status != 0
        if not theirs and status == 0:
            wrong.append(f"{number}: {data[:300]}")
    tap.check(refused > 500 and both > 50 and not wrong,
              f"2000 damaged files: {refused} refused by safetensors and by us, {both} read by both, {stricter} refused by "
              "us alone", "\n".join(wrong[:9]))


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="minicpmv-tensors-") as folder:
        repack = Repacker(folder)
        compare_good(tap, folder, repack)
        compare_damaged(tap, folder, repack)
        repack.process.stdin.close()
        repack.process.wait()
    tap.end()


main()
