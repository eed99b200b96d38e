"""Times this program, llama.cpp and PyTorch on one model, stage by stage, in turn, so that all see the same machine: opening,
one slice of 448 x 448 through encoder and resampler, prompts, decoding, peak memory. Prints a line a figure, then the
medians and how many times as fast this program is.

usage: bench/side_by_side.py -m MODEL [--mmproj FILE] [--minicpmv OPTIONS]... [--llama FOLDER --gguf FILE [--mmproj FILE]]
                             [--hf-code FOLDER [--torch TYPE]...] [--prompts N...] [--answer N] [--runs N] [--threads N]

MODEL: a folder in Hugging Face layout (`minicpmv synth`; --layers 4 leaves room for PyTorch in FP32), or a GGUF file.
OPTIONS: those of `minicpmv bench model`, such as '--dtype int4', a column each. The folder with llama.cpp's programs holds
llama-bench and llama-mtmd-cli; FILE is what `minicpmv quantize` makes of MODEL. PyTorch runs the Hugging Face code
on the weights of MODEL, in float32 unless TYPE says bfloat16; it needs transformers."""

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

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
SIDE = 32  # patches
PATCH = 14
SECONDS, RATES = ("opening", "slice"), ("prompt", "answer")


def run(command, **more):
    """Its output, its errors, and its peak memory in GB."""
    with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=errors, text=True, **more) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read()
    if process.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit code {process.returncode}\n{text[-2000:]}")
    return output, text, usage.ru_maxrss * 1024e-9


def stages_of(rows):
    """What `bench model` prints, and `measure_torch`: {figure: value}, stages of vision in one."""
    figures = {"slice": 0}
    for row in rows:
        name = row["stage"]
        if name in ("encoder", "resampler"):
            figures["slice"] += row["seconds"]
        elif name == "opening":
            figures[name] = row["seconds"]
        else:
            figures[name] = row["per_second"]
    return figures


def time_minicpmv(options, more):
    command = [PROGRAM, "bench", "model", "-m", options.model, "--repeats", 1, "--answer", options.answer, "--prompts",
               ",".join(map(str, options.prompts)), "--threads", options.threads, "--json", *more.split()]
    if options.model.endswith(".gguf"):
        command += ["--mmproj", options.mmproj]
    result = json.loads(run(command)[0])
    return {**stages_of(result["stages"]), "peak": result["peak_resident_bytes"] / 1e9}


def time_llama(options):
    from PIL import Image

    figures = {}
    if options.mmproj:
        with tempfile.NamedTemporaryFile(suffix=".png") as picture:
            Image.effect_noise((SIDE * PATCH, SIDE * PATCH), 64).convert("RGB").save(picture.name)
            _, log, figures["peak"] = run(
                [f"{options.llama}/llama-mtmd-cli", "-m", options.gguf, "--mmproj", options.mmproj, "--image", picture.name,
                 "-p", "?", "-n", 1, "--chat-template", "chatml", "-t", options.threads])
        minutes, seconds = re.search(r"^(\d+)\.(\d+\.\d+)\.\d+ I main: loading model", log, re.M).groups()
        figures["opening"] = 60 * int(minutes) + float(seconds)  # the line is printed when all is loaded
        figures["slice"] = int(re.search(r"encoding done in (\d+) ms", log).group(1)) / 1000
    output, _, peak = run([f"{options.llama}/llama-bench", "-m", options.gguf, "-p", ",".join(map(str, options.prompts)),
                           "-n", options.answer, "-r", 1, "-t", options.threads, "-o", "jsonl"])
    for row in map(json.loads, output.splitlines()):
        figures[f"prompt of {row['n_prompt']}" if row["n_prompt"] else "answer"] = row["avg_ts"]
    figures["peak"] = max(figures.get("peak", 0), peak)
    return figures


def time_torch(options, dtype):
    output, _, peak = run([sys.executable, *sys.argv, "--measure-torch", dtype])
    return {**stages_of(json.loads(output)), "peak": peak}


def measure_torch(options, dtype):
    """In a process of its own: the stages as `bench model` has them, as JSON."""
    import torch

    torch.ones(8).exp()  # PyTorch settles on its instruction set here, before hf_model keeps what comes after it to AVX2.
    sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))
    from hf_model import load_code, load_model

    for name in ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"):
        os.environ.pop(name)
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    code, rows = load_code(options.hf_code), []

    def add(stage, count, function, *arguments, **named):
        start = time.monotonic()
        result = function(*arguments, **named)
        seconds = time.monotonic() - start
        rows.append({"stage": stage, "seconds": seconds, "per_second": count / seconds})
        return result

    model = add("opening", 1, load_model, code, Path(options.model), getattr(torch, dtype))
    pixels = torch.randn(1, 3, PATCH, SIDE * SIDE * PATCH, dtype=getattr(torch, dtype))
    mask, sizes = torch.ones(1, 1, SIDE * SIDE, dtype=torch.bool), torch.tensor([[SIDE, SIDE]], dtype=torch.int32)
    vision = {"patch_attention_mask": mask, "tgt_sizes": sizes}
    model.vpm(pixels, **vision)  # the first time, memory is still to be had
    hidden = add("encoder", 1, model.vpm, pixels, **vision).last_hidden_state
    add("resampler", 1, model.resampler, hidden, sizes, [[-1]])

    def read(ids, cache=None):
        return model.llm(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)

    def decode(output):
        for _ in range(options.answer):
            output = read(output.logits.argmax(-1), output.past_key_values)

    for count in options.prompts:
        add(f"prompt of {count}", count, read, torch.randint(1000, (1, count)))
    add("answer", options.answer, decode, read(torch.randint(1000, (1, 16))))
    print(json.dumps(rows))


def table(programs, runs):
    """Medians, a column each; rates as multiples of the last column's, seconds the other way round."""
    names = list(programs)
    figures = {name: {key: statistics.median(run[key] for run in runs[name]) for key in runs[name][0]} for name in names}
    ours = names[0]
    lines = [["median", *names]]
    for key in figures[ours]:
        line = [f"{key}, " + ("s" if key in SECONDS else "GB" if key == "peak" else "tokens a second")]
        for name in names:
            value, own = figures[name].get(key), figures[ours][key]
            text = "" if value is None else f"{value:.2f}"
            if value and name != ours and key != "peak":
                text += f" ({value / own if key in SECONDS else own / value:.2f})"
            line.append(text)
        lines.append(line)
    print("In parentheses: how many times as fast the first column is.")
    for line in lines[:1] + [["---"] + ["---:"] * len(names)] + lines[1:]:
        print("| " + " | ".join(line) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--mmproj")
    parser.add_argument("--minicpmv", action="append", metavar="OPTIONS")
    parser.add_argument("--llama", metavar="FOLDER")
    parser.add_argument("--gguf")
    parser.add_argument("--hf-code", type=Path)
    parser.add_argument("--torch", action="append", metavar="TYPE")
    parser.add_argument("--prompts", nargs="+", type=int, default=[64, 512])
    parser.add_argument("--answer", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--measure-torch", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure_torch:
        return measure_torch(options, options.measure_torch)
    if options.llama and not options.gguf:
        parser.error("--llama needs --gguf")

    programs = {}
    for more in options.minicpmv or [""]:
        programs[f"minicpmv {more}".strip()] = lambda more=more: time_minicpmv(options, more)
    if options.llama:
        programs[f"llama.cpp, {Path(options.gguf).name}"] = lambda: time_llama(options)
    if options.hf_code:
        for dtype in options.torch or ["float32"]:
            programs[f"PyTorch, {dtype}"] = lambda dtype=dtype: time_torch(options, dtype)
    runs = {name: [] for name in programs}
    for _ in range(options.runs):
        for name, program in programs.items():
            runs[name].append(program())
            print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in runs[name][-1].items()), flush=True)
    table(programs, runs)


main()
