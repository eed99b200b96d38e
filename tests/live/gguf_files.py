"""Compares the GGUF reader, the values of every block type and what `quantize` writes with the Python package gguf; runs
golden cases through pairs that it wrote."""

import glob
import json
import os
import random
import subprocess
import sys
import tempfile

import gguf
import numpy
from gguf import GGMLQuantizationType as T

from lib import gguf_pair
from lib.tap import Tap
from lib.texts import random_text

BUILD = os.environ.get("BUILD", "build")
PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
TO_F32 = os.path.join(BUILD, "tests/tools/weights_to_f32")
PUBLIC = "../shared/minicpm-v-4.5"
TYPES = [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL,
         T.IQ4_XS]


def run(*arguments):
    return subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def values_of(folder, *paths):
    """{name: float32 array} as the program's reader has them"""
    output = os.path.join(folder, "values.safetensors")
    done = run(TO_F32, *paths, output)
    if done.returncode:
        raise RuntimeError(done.stdout)
    return gguf_pair.read_file(output)


def same_bits(ours, theirs):
    """Bit for bit; a NaN is a NaN."""
    ours, theirs = ours.reshape(-1), theirs.reshape(-1).astype(numpy.float32)
    return numpy.all((ours.view(numpy.uint32) == theirs.view(numpy.uint32)) | (numpy.isnan(ours) & numpy.isnan(theirs)))


def check_blocks(tap, folder, generator):
    """Blocks of any bytes at all, their scales too."""
    path = os.path.join(folder, "blocks.gguf")
    writer = gguf.GGUFWriter(path, "blocks")
    expected = {}
    for kind in TYPES:
        size, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        raw = generator.integers(0, 256, (256, max(256 // size, 1) * block_bytes), dtype=numpy.uint8)
        plain = {T.F32: numpy.float32, T.F16: numpy.float16}.get(kind)
        with numpy.errstate(all="ignore"):
            expected[kind.name] = gguf.quants.dequantize(raw, kind)
        writer.add_tensor(kind.name, raw.view(plain) if plain else raw, raw_dtype=None if plain else kind)
    gguf_pair.finish(writer)
    ours = values_of(folder, path)
    for kind in TYPES:
        tap.check(same_bits(ours[kind.name], expected[kind.name]), f"values of random {kind.name} blocks")


def check_models(tap, folder):
    for case, model in (("unicode", "base-f32"), ("single", "base-f32"), ("tied-bf16", "wide-bf16-tied")):
        stem = os.path.join(folder, model)
        gguf_pair.write_pair(f"golden/models/{model}", stem)
        done = run(PROGRAM, "verify", f"golden/cases/{case}", "-m", stem + ".gguf", "--mmproj", stem + "-mmproj.gguf",
                   "--preprocessor-config", f"golden/models/{model}/preprocessor_config.json")
        tap.check(done.returncode == 0, f"case {case} through a pair written by gguf", done.stdout[-2000:])
    stem = os.path.join(folder, "split")
    gguf_pair.write_pair("golden/models/base-f32", stem, split=7)
    part = sorted(glob.glob(stem + "-00*.gguf"))[-1]
    done = run(PROGRAM, "verify", "golden/cases/unicode", "-m", part, "--mmproj", stem + "-mmproj.gguf")
    tap.check(done.returncode == 0, "a split file, named by its last part", done.stdout[-2000:])


def check_written(tap, folder):
    """What quantize writes, the package reads: the same metadata and values as of its own file."""
    stem = os.path.join(folder, "theirs")
    gguf_pair.write_pair("golden/models/base-f32", stem)
    ours, vision = os.path.join(folder, "ours.gguf"), os.path.join(folder, "ours-vision.gguf")
    done = run(PROGRAM, "quantize", "-m", "golden/models/base-f32", "--type", "F32", "-o", ours, "--vision-output", vision,
               "--vision-type", "F32")
    tap.check(done.returncode == 0, "quantize", done.stdout)
    for path, reference in ((ours, stem + ".gguf"), (vision, stem + "-mmproj.gguf")):
        a, b = gguf.GGUFReader(path), gguf.GGUFReader(reference)
        theirs = {tensor.name: tensor for tensor in b.tensors}
        different = [tensor.name for tensor in a.tensors if tensor.name != "resampler.pos_embed_k" and not (
            tensor.name in theirs and tensor.data.tobytes() == theirs[tensor.name].data.tobytes()
            and list(tensor.shape) == list(theirs[tensor.name].shape))]
        missing = sorted(set(theirs) - {tensor.name for tensor in a.tensors})
        tap.check(not different and not missing, f"{os.path.basename(path)}: tensors", f"{different} {missing}")
        different = [key for key, field in b.fields.items() if not key.startswith("GGUF.") and key != "general.name" and not (
            key in a.fields and a.fields[key].contents() == field.contents())]
        tap.check(not different, f"{os.path.basename(path)}: metadata", different)


def check_quantized(tap, folder):
    """Types and values of a quantized file, seen by both readers."""
    for kind in ("Q4_K_M", "Q5_K_S", "Q6_K", "Q3_K_L", "Q2_K", "Q8_0", "Q4_0", "IQ4_XS"):
        path = os.path.join(folder, "quantized.gguf")
        done = run(PROGRAM, "quantize", "-m", "golden/demo", "--type", kind, "-o", path)
        ours = values_of(folder, path)
        original = gguf_pair.read_tensors("golden/demo")
        reader = gguf.GGUFReader(path)
        by_name = {gguf_pair.language_name(name): name for name in original if name.startswith("llm.")}
        wrong = [tensor.name for tensor in reader.tensors if not same_bits(
            ours[by_name[tensor.name]], gguf.quants.dequantize(tensor.data, tensor.tensor_type))]
        tap.check(done.returncode == 0 and not wrong, f"{kind}: both readers see the same values", wrong or done.stdout)


def check_tokenizer(tap, folder):
    name = "the public tokenizer from a GGUF file"
    if not os.path.isdir(PUBLIC):
        tap.skip(name, f"{PUBLIC} is not there")
        return
    path = os.path.join(folder, "tokenizer.gguf")
    writer = gguf.GGUFWriter(path, "qwen3")
    gguf_pair.add_tokenizer(writer, PUBLIC, gguf_pair.load(PUBLIC, "config.json")["vocab_size"])
    gguf_pair.finish(writer)
    rng = random.Random(45)
    added = [token["content"] for token in gguf_pair.load(PUBLIC, "tokenizer_config.json")["added_tokens_decoder"].values()]
    lines = "".join(json.dumps(random_text(rng, added)) + "\n" for _ in range(300))
    ids = [subprocess.run([PROGRAM, "tokenize", "-m", model, "--jsonl"], input=lines, stdout=subprocess.PIPE, text=True)
           for model in (PUBLIC, path)]
    tap.check(ids[0].returncode == ids[1].returncode == 0 and ids[0].stdout == ids[1].stdout, name)
    texts = [subprocess.run([PROGRAM, "detokenize", "-m", model, "--jsonl", "--skip-special-tokens"], input=ids[0].stdout,
                            stdout=subprocess.PIPE, text=True) for model in (PUBLIC, path)]
    tap.check(texts[0].returncode == texts[1].returncode == 0 and texts[0].stdout == texts[1].stdout, name + ", back")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        check_blocks(tap, folder, numpy.random.default_rng(int(os.environ.get("SEED", "45"))))
        check_models(tap, folder)
        check_written(tap, folder)
        check_quantized(tap, folder)
        check_tokenizer(tap, folder)
    tap.end()


if __name__ == "__main__":
    sys.exit(main())
