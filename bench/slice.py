"""Times one slice of 448 x 448 through encoder and resampler: this program, PyTorch in FP32 with the Hugging Face code, and
llama.cpp, in turn, so that all see the same machine. Prints seconds, a line a run, then medians.

usage: bench/slice.py -m FOLDER --hf-code DIR [--mtmd PROGRAM --gguf FILE --mmproj FILE] [--precisions P...] [--runs N] [--threads N]

FOLDER: a model of the published shapes, `minicpmv synth --layers 1` is enough. PROGRAM: llama-mtmd-cli, with the pair that
`minicpmv quantize` makes of FOLDER. Needs torch and transformers."""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image

torch.ones(8).exp()  # PyTorch settles on its instruction set here, before hf_model keeps what comes after it to AVX2.
sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
from hf_model import load_code  # noqa: E402

for name in ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"):
    os.environ.pop(name)
PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
SIDE = 32  # patches


def torch_slice(folder, hf_code):
    """A function that runs HF's encoder and resampler with random weights of the shapes that `folder` names."""
    code = load_code(hf_code)
    config = code.configuration_minicpm.MiniCPMVConfig.from_pretrained(folder, local_files_only=True)
    config.vision_config._attn_implementation = "eager"
    encoder = code.modeling_minicpmv.SiglipVisionTransformer(config.vision_config).eval()
    resampler = code.modeling_minicpmv.Resampler(
        num_queries=config.query_num, embed_dim=config.hidden_size, num_heads=config.hidden_size // 128,
        kv_dim=config.vision_config.hidden_size, adaptive=True, batch_infer=config.batch_3d_resampler).eval()
    patch = config.vision_config.patch_size
    pixels = torch.randn(1, 3, patch, SIDE * SIDE * patch)
    mask = torch.ones(1, 1, SIDE * SIDE, dtype=torch.bool)
    sizes = torch.tensor([[SIDE, SIDE]], dtype=torch.int32)

    def run():
        with torch.inference_mode():
            resampler(encoder(pixels, patch_attention_mask=mask, tgt_sizes=sizes).last_hidden_state, sizes, [[-1]])

    return run


def time_torch(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def time_llama(options):
    with tempfile.NamedTemporaryFile(suffix=".png") as picture:
        Image.effect_noise((448, 448), 64).convert("RGB").save(picture.name)
        output = subprocess.run(
            [options.mtmd, "-m", options.gguf, "--mmproj", options.mmproj, "--image", picture.name, "-p", "?", "-n", "1",
             "--chat-template", "chatml", "-t", str(options.threads)], capture_output=True, text=True, check=True)
    return int(re.search(r"encoding done in (\d+) ms", output.stdout + output.stderr).group(1)) / 1000


def time_minicpmv(options, precision):
    output = subprocess.run(
        [PROGRAM, "bench", "model", "-m", options.model, "--dtype", *precision.split(), "--prompts", "64", "--answer", "1",
         "--repeats", "1", "--threads", str(options.threads), "--json"], capture_output=True, text=True, check=True)
    stages = {stage["stage"]: stage["seconds"] for stage in json.loads(output.stdout)["stages"]}
    return stages["encoder"] + stages["resampler"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--hf-code", required=True, type=Path)
    parser.add_argument("--mtmd")
    parser.add_argument("--gguf")
    parser.add_argument("--mmproj")
    parser.add_argument("--precisions", nargs="+", default=["f32", "int8"], help="such as 'bf16 --numerics fast'")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = torch_slice(options.model, options.hf_code)
    run()  # the first time, memory is still to be had
    programs = {"PyTorch, FP32": lambda: time_torch(run)}
    if options.mtmd:
        programs["llama.cpp"] = lambda: time_llama(options)
    for precision in options.precisions:
        programs[f"minicpmv, {precision}"] = lambda precision=precision: time_minicpmv(options, precision)
    seconds = {name: [] for name in programs}
    for _ in range(options.runs):
        for name, program in programs.items():
            seconds[name].append(program())
            print(f"{name}: {seconds[name][-1]:.2f} s", flush=True)
    for name, values in seconds.items():
        print(f"median of {name}: {statistics.median(values):.2f} s")


main()
