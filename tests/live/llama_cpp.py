"""One GGUF pair in llama.cpp and here: the same best token behind a picture of 448 x 448, the tensors on the way to it by
the recipe and the name maps of docs/conformance.md, and where the two cut larger pictures differently.

LLAMA_CPP is a source folder of llama.cpp (with tools/mtmd), LLAMA_CPP_LIB the folder with its shared libraries; without
them the comparison of the programs is skipped. `--table` prints docs/formats.md's table."""

import json
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy
from PIL import Image

from lib.tap import Tap

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
SOURCE, LIBRARIES = os.environ.get("LLAMA_CPP", ""), os.environ.get("LLAMA_CPP_LIB", "")
QUESTION = "What is this?"
F = numpy.float32


def run(*arguments, fails=False, **options):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode and not fails:
        raise RuntimeError(f"{arguments}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


# ---- How llama.cpp cuts: tools/mtmd/mtmd-image.cpp, mtmd_image_preprocessor_llava_uhd ---------------------------------

def away_from_zero(x):
    """C's round()."""
    return int(numpy.floor(abs(x) + 0.5) * numpy.sign(x))


def ensure_divide(length, patch):
    return max(int(away_from_zero(F(length) / F(patch)) * patch), patch)


def best_resize(width, height, resolution, patch, upscale):
    if width * height > resolution * resolution or upscale:
        ratio = F(width) / F(height)
        height = int(F(resolution) / numpy.sqrt(ratio))
        width = int(F(height) * ratio)
    return ensure_divide(width, patch), ensure_divide(height, patch)


def best_grid(multiple, log_ratio, most=9):
    candidates = [(m, n // m) for n in (multiple - 1, multiple, multiple + 1) if n != 1 and n <= most
                  for m in range(1, n + 1) if n % m == 0]
    grid, least = (1, 1), F(numpy.inf)
    for columns, rows in candidates:
        error = F(abs(float(log_ratio) - float(numpy.log(columns / rows))))
        if error < least:
            grid, least = (columns, rows), error
    return grid


def llama_slices(width, height, resolution=448, patch=14):
    """Sizes of the overview and of the slices, and the grid; None where it does not cut."""
    if width <= resolution and height <= resolution:
        return None, [(resolution, resolution)]
    overview = best_resize(width, height, resolution, patch, False)
    multiple = int(min(numpy.ceil(F(width) * height / F(resolution * resolution)), 9))
    grid = best_grid(multiple, F(numpy.log(F(width) / F(height))))
    cell = [ensure_divide(size, parts) // parts for size, parts in zip((width, height), grid)]
    return grid, [overview] + [best_resize(*cell, resolution, patch, True)] * (grid[0] * grid[1])


# ---- What both do with sizes -----------------------------------------------------------------------------------------

def our_slices(model, sizes, folder):
    """[(grid or None, slice sizes)] of pictures of these sizes; pixels do not matter."""
    requests = ""
    for i, size in enumerate(sizes):
        path = os.path.join(folder, f"{i}.png")
        Image.new("RGB", size).save(path)
        requests += json.dumps({"images": [path]}) + "\n"
    lines = run(PROGRAM, "preprocess", "-m", model, "--jsonl", input=requests).stdout.splitlines()
    answers = [json.loads(line) for line in lines]
    return [(tuple(a["grids"][0]) if a["grids"][0] else None, [tuple(s) for s in a["slice_sizes"]]) for a in answers]


SIZES = [(448, 448), (100, 60), (448, 300), (200, 448), (640, 480), (449, 300), (447, 449), (300, 670), (800, 600), (1000, 500),
         (1024, 1024), (1920, 1080), (1280, 1707), (3000, 200), (4000, 3000)]


def words(slices):
    grid, sizes = slices
    counted = [f"{sizes[0][0]} x {sizes[0][1]}"]
    if grid:
        counted.append(f"{grid[0]} x {grid[1]} of {sizes[1][0]} x {sizes[1][1]}")
    return ", ".join(counted)


def print_table(model, folder):
    print("| picture | Hugging Face, and here | llama.cpp |\n| --- | --- | --- |")
    for size, ours in zip(SIZES, our_slices(model, SIZES, folder)):
        theirs = llama_slices(*size)
        print(f"| {size[0]} x {size[1]} | {words(ours)} | {'the same' if theirs == ours else words(theirs)} |")


# ---- The programs ----------------------------------------------------------------------------------------------------

def make_model(folder):
    """A random model of few channels whose vision side has the sizes that llama.cpp takes for granted."""
    like, model = os.path.join(folder, "like"), os.path.join(folder, "model")
    os.mkdir(like)
    source = "golden/models/base-f32"
    for name in os.listdir(source):
        if not name.endswith(".safetensors"):
            with open(os.path.join(source, name), "rb") as file, open(os.path.join(like, name), "wb") as copy:
                copy.write(file.read())
    edit(os.path.join(like, "config.json"), {
        "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
        "num_hidden_layers": 3, "query_num": 64, "use_image_id": False, "image_size": 448, "patch_size": 14,
        "slice_config": {"max_slice_nums": 9, "patch_size": 14},
        "vision_config": {"hidden_size": 144, "intermediate_size": 288, "num_attention_heads": 2, "num_hidden_layers": 3,
                          "patch_size": 14, "image_size": 980}})
    edit(os.path.join(like, "preprocessor_config.json"), {
        "image_feature_size": 64, "use_image_id": False, "scale_resolution": 448, "max_slice_nums": 9, "patch_size": 14})
    run(PROGRAM, "synth", "--like", like, "--dtype", "f32", "-o", model)
    return model


def edit(path, changes):
    with open(path) as file:
        settings = json.load(file)
    settings.update(changes)
    with open(path, "w") as file:
        json.dump(settings, file)


def build_runner(folder):
    """llama_run.cpp with the header that the documentation shows."""
    with open("docs/conformance.md") as file:
        header = re.search(r"```cpp\n(.*?)```", file.read(), re.S).group(1)
    with open(os.path.join(folder, "dump_tensors.h"), "w") as file:
        file.write(header)
    program = os.path.join(folder, "llama_run")
    includes = [f"-I{os.path.join(SOURCE, part)}" for part in ("include", "ggml/include", "tools/mtmd")]
    run(os.environ.get("CXX", "c++"), "-std=c++17", "-O1", f"-I{folder}", *includes, "tests/live/lib/llama_run.cpp", "-o", program,
        f"-L{LIBRARIES}", f"-Wl,-rpath,{LIBRARIES}", "-lmtmd", "-lllama", "-lggml", "-lggml-base")
    return program


def prompt_for_llama(model, image):
    """Our prompt with llama.cpp's marker in the place of each picture's placeholders, and its number of ids."""
    made = json.loads(run(PROGRAM, "preprocess", "-m", model, "-i", image, "-p", QUESTION).stdout)
    return made["prompt"].replace("(<image>./</image>)", "<__media__>"), len(made["input_ids"])


def compare_pair(tap, folder, model, kind):
    pair = [os.path.join(folder, f"{kind}.{part}.gguf") for part in ("language", "vision")]
    run(PROGRAM, "quantize", "-m", model, "--type", kind, "-o", pair[0], "--vision-output", pair[1], "--vision-type",
        "F32" if kind == "F32" else "F16")
    files = ["-m", pair[0], "--mmproj", pair[1]]
    image, logits = os.path.join(folder, "picture.png"), os.path.join(folder, "logits.npy")
    rng = random.Random(3)
    small = Image.new("RGB", (14, 14))
    small.putdata([tuple(rng.randrange(256) for _ in range(3)) for _ in range(196)])
    small.resize((448, 448), Image.BICUBIC).save(image)
    prompt, ids = prompt_for_llama(model, image)
    said = run(folder + "/llama_run", *pair, prompt, logits, "none", "-", image).stdout.strip()
    tap.check(said == f"{ids} tokens, 1 pieces", f"{kind}: llama.cpp reads as many tokens", f"{said}, here {ids}")
    tolerances = os.path.join(folder, "tolerances.txt")
    with open(tolerances, "w") as file:
        file.write("* * logits max_abs=1e9 kl=1e-3 margin=0\n")
    for engine in ("ref", "fast"):
        done = run(PROGRAM, "logits", *files, "-i", image, "-p", QUESTION, "--check", logits, "--tol", tolerances, "--json",
                   "--engine", engine, fails=True)
        row = json.loads(done.stdout)["rows"][0]
        measures = f"KL {row['kl']:.2e}, max_abs {row['max_abs']:.2e}, lead {row['margin']:.2e}"
        tap.check(row["top_1"] and row["pass"], f"{kind}, {engine}: the same best token; {measures}", done.stdout)
    if kind == "F32":
        compare_dumps(tap, folder, pair, files, prompt, image)


def compare_dumps(tap, folder, pair, files, prompt, image):
    right, logits = os.path.join(folder, "right.safetensors"), os.path.join(folder, "logits.npy")
    run(PROGRAM, "dump", *files, "-i", image, "-p", QUESTION, "-o", right)
    # Of the last layer llama.cpp keeps the last position alone, and `embd` is of the text alone.
    for side, selection in (("vision", ["--stage", "vision,resampler"]), ("language", ["--filter", r"llm\.model\.layers\.[01]"])):
        theirs = os.path.join(folder, side)
        os.mkdir(theirs)
        run(folder + "/llama_run", *pair, prompt, logits, side, theirs, image)
        limit = "3e-3" if side == "vision" else "1e-3"
        done = run(PROGRAM, "diff", theirs, right, "--names", f"golden/names/llama.cpp-{side}.txt", "--common", *selection,
                   "--limit", limit, "--json", fails=True)
        report = json.loads(done.stdout)
        rows = report["tensors"]
        bad = [(row["name"], row.get("problem")) for row in rows if not row["pass"]]
        worst = max((row["rel_l2"] for row in rows if row["rel_l2"] is not None), default=None)
        tap.check(rows and not bad, f"the dump of the {side} side by the documented recipe: {len(rows)} tensors, rel_l2 up to {worst}",
                  bad[:8])


def compare_cuts(tap, folder, pair):
    """The formulas above give as many pieces as llama.cpp itself."""
    for size in SIZES[4:12:2]:
        image = os.path.join(folder, "size.png")
        Image.new("RGB", size, (90, 20, 200)).save(image)
        said = run(folder + "/llama_run", *pair, "<__media__>", os.path.join(folder, "l.npy"), "none", "-", image).stdout
        pieces = int(re.search(r"(\d+) pieces", said).group(1))
        tap.check(pieces == len(llama_slices(*size)[1]), f"llama.cpp cuts {size} as its formulas say", said)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(folder)
        if "--table" in sys.argv:
            print_table(model, folder)
            return
        ours = our_slices(model, SIZES, folder)
        theirs = [llama_slices(*size) for size in SIZES]
        tap.check(ours[0] == theirs[0] and sum(a != b for a, b in zip(ours, theirs)) >= 5, "448 x 448 is the same, other sizes are not",
                  list(zip(SIZES, ours, theirs)))
        if not SOURCE or not LIBRARIES:
            tap.skip("the programs", "LLAMA_CPP and LLAMA_CPP_LIB are not given")
            tap.end()
        build_runner(folder)
        for kind in ("F32", "Q8_0", "Q4_K_M"):
            compare_pair(tap, folder, model, kind)
        compare_cuts(tap, folder, [os.path.join(folder, f"F32.{part}.gguf") for part in ("language", "vision")])
    tap.end()


main()
