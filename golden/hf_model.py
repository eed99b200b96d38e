"""The Hugging Face model from two folders: its Python files and its weights. Nothing is downloaded."""

import contextlib
import importlib
import json
import os
import sys
import types
import warnings
from pathlib import Path

# Sums and elementary functions come out the same on every x86 CPU with AVX2: wider registers would change both.
# (NumPy's FP32 sine and power, in the resampler's tables, differ in the last bit between AVX2 and AVX-512.)
os.environ.update(
    ATEN_CPU_CAPABILITY="avx2",
    ONEDNN_MAX_CPU_ISA="AVX2",
    MKL_ENABLE_INSTRUCTIONS="AVX2",
    NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR",
    HF_HUB_OFFLINE="1",
)

import numpy
import PIL
import torch
import transformers
import xxhash
from safetensors.torch import load_file
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

PACKAGE = "minicpmv_hf_code"
CODE_FILES = (
    "configuration_minicpm",
    "modeling_navit_siglip",
    "resampler",
    "image_processing_minicpmv",
    "processing_minicpmv",
    "tokenization_minicpmv_fast",
    "modeling_minicpmv",
)


class InputError(Exception):
    """A file that the user named is missing or does not hold what it should."""


def load_code(folder: Path) -> types.SimpleNamespace:
    """Imports the model's Python files from `folder` as one package; its modules by their file names."""
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore", message="The image_processor_class argument is deprecated")
    missing = [f"{name}.py" for name in CODE_FILES if not (folder / f"{name}.py").is_file()]
    if missing:
        raise InputError(f"{folder}: no {', '.join(missing)}; expected the Python files of MiniCPM-V 4.5")
    # The model imports torchvision and uses nothing of it.
    sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    return types.SimpleNamespace(**{name: importlib.import_module(f"{PACKAGE}.{name}") for name in CODE_FILES})


def weight_files(folder: Path) -> list[Path]:
    """model.safetensors, or the shards that model.safetensors.index.json names."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
        files = [folder / shard for shard in sorted(shards)]
    else:
        files = [folder / "model.safetensors"]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: no such file")
    return files


def versions() -> dict[str, str]:
    """The libraries that the numbers depend on."""
    return {
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def hash_weights(folder: Path) -> str:
    """XXH3 of each file of weights of the model in `folder`, as JSON."""
    return json.dumps({file.name: xxhash.xxh3_64_hexdigest(file.read_bytes()) for file in weight_files(folder)})


def load_processor(code: types.SimpleNamespace, folder: Path):
    """The processor of the model in `folder`: its image processor and its tokenizer."""
    tokenizer = code.tokenization_minicpmv_fast.MiniCPMVTokenizerFast.from_pretrained(folder, local_files_only=True)
    images = code.image_processing_minicpmv.MiniCPMVImageProcessor.from_pretrained(folder, local_files_only=True)
    return code.processing_minicpmv.MiniCPMVProcessor(images, tokenizer)


def load_model(code: types.SimpleNamespace, folder: Path, dtype: torch.dtype):
    """The model with the weights of `folder`, widened to `dtype`, ready to infer."""
    config = code.configuration_minicpm.MiniCPMVConfig.from_pretrained(folder, local_files_only=True)
    model = code.modeling_minicpmv.MiniCPMV(config).eval().to(dtype)
    weights = {}
    for file in weight_files(folder):
        weights.update(load_file(file))
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if config.tie_word_embeddings and "llm.lm_head.weight" in missing:
        missing.remove("llm.lm_head.weight")
    if missing or unexpected:
        raise InputError(f"{folder}: the weights lack {missing} and have {unexpected}, which the model does not know")
    return model


@contextlib.contextmanager
def exact_arithmetic():
    """In here a model in FP64 computes in FP64 throughout.

    The model's code goes through FP32 in its attention softmax and its RMSNorm whatever the weights are, which would
    hide what the FP64 run is for. What is FP32 by definition stays so: rotary angles and tables, the resampler's sine
    tables, NaViT's fractional coordinates, pixel normalization.
    """
    softmax, rms_norm = torch.nn.functional.softmax, Qwen3RMSNorm.forward

    def softmax_in_own_type(x, dim=None, _stacklevel=3, dtype=None):
        return softmax(x, dim=dim, dtype=None if x.dtype == torch.float64 else dtype)

    def rms_norm_in_own_type(self, x):
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))

    torch.nn.functional.softmax, Qwen3RMSNorm.forward = softmax_in_own_type, rms_norm_in_own_type
    try:
        yield
    finally:
        torch.nn.functional.softmax, Qwen3RMSNorm.forward = softmax, rms_norm


