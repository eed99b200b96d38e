"""golden/record_modules.py on HF's model and on toys: `minicpmv diff` finds its dump equal to the golden case, under HF's
names and under those that a wrapper makes of them.

HF_CODE: a folder with the model's Python files.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from lib.hf_code import load_or_skip
from lib.tap import Tap

CODE = load_or_skip()

import numpy  # noqa: E402
import torch  # noqa: E402
from hf_model import load_model, load_processor  # noqa: E402
from PIL import Image  # noqa: E402
from record_modules import Recorder  # noqa: E402

PROGRAM = os.environ.get("PROGRAM", "build/minicpmv")
MODEL, CASE = Path("golden/models/base-f32"), "golden/cases/single/golden.safetensors"
NAMES = "golden/names/pytorch.txt"


class FusedDecoderLayer(torch.nn.Module):
    """Returns its output and the residual apart, as vLLM's layers do."""

    def forward(self, x):
        return x, 2 * x


class Toy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.vpm = FusedDecoderLayer(), torch.nn.Identity()

    def forward(self, x):
        return self.vpm(self.layer(x)[0])


def diff(folder: Path, *options: str) -> tuple[int, str]:
    run = subprocess.run([PROGRAM, "diff", folder, CASE, *options], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def ask(model, recorded) -> Recorder:
    """The question of the golden case, one new token."""
    recorder = Recorder(recorded)
    picture = Image.open("golden/images/scene.png").convert("RGB")
    messages = [{"role": "user", "content": [picture, "What is in the image?"]}]
    with torch.no_grad():
        model.chat(
            image=None,
            msgs=messages,
            tokenizer=model.processor.tokenizer,
            processor=model.processor,
            sampling=False,
            num_beams=1,
            max_new_tokens=1,
        )
    return recorder


def main() -> None:
    tap = Tap()
    model = load_model(CODE, MODEL, torch.float32)
    model.processor = load_processor(CODE, MODEL)
    with tempfile.TemporaryDirectory() as work:
        ask(model, model).save(f"{work}/plain")
        code, words = diff(Path(work) / "plain", "--names", NAMES, "--common")
        tap.check(code == 0 and "llm.model.layers.1.mlp.down_proj" in words, "HF's model", words)
        ask(model, torch.nn.Sequential(torch.nn.ModuleDict({"module": model}))).save(f"{work}/wrapped")
        for file in (Path(work) / "wrapped").iterdir():  # Sequential's "0." is no wrapper's
            file.rename(file.with_name(file.name.removeprefix("0.")))
        code, words = diff(Path(work) / "wrapped", "--names", NAMES, "--common")
        tap.check(code == 0 and "llm.model.layers.1.mlp.down_proj" in words, "in a wrapper", words)

        toy = Toy()
        recorder = Recorder(toy)
        toy(torch.ones(2))
        toy(torch.zeros(2))
        recorder.save(f"{work}/toy")
        files = {file.stem: numpy.load(file).tolist() for file in (Path(work) / "toy").iterdir()}
        expected = {"layer": [3.0, 3.0], "vpm#0": [1.0, 1.0], "vpm#1": [0.0, 0.0]}
        tap.check(files == expected, "a residual beside the output is added, calls of the encoder are numbered", files)
        toy(torch.ones(2))
        tap.check(len(recorder.calls["layer"]) == 1, "hooks are taken off")
    tap.end()


main()
