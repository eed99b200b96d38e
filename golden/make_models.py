#!/usr/bin/env python3
"""Makes the small random models in golden/models, in the layout of the Hugging Face model.

Everything follows from fixed seeds, HF's module definitions (--hf-code) and the special tokens and chat template of the
public tokenizer (--tokenizer); the vocabulary itself is trained here on a few sentences. Weights are scaled so that
activations keep the size that they have in a trained model and the best two next tokens are seldom close.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

# First: it sets what NumPy and torch read when they start.
from hf_model import InputError, load_code

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

MERGES = 100
# As in transformers' Qwen2Converter: the pattern that cuts text into words before the merges.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = """user assistant system user assistant system think think thinking
What is in the image? What is in the picture? Describe the image. Describe the video. How many are there?
The image shows a red circle and a blue square. The picture shows a green field under a blue sky.
Which of the two images has more colours? The first one. The second one. Both of them. Answer with one word.
You are a careful assistant. Read the text in the image. It's there, isn't it? I'll look again; we've seen it.
What happens in the video? A ball moves from left to right, then it stops. 1 2 3 4 5 6 7 8 9 10 2024 3.14
Compare these images! Wow! Great! Yes! No! (left) [right] {both} "quoted" 100% + - * / = == != <= >= ...
图片里有什么？图片里有一个红色的圆。这两张图片有什么不同？请描述视频。
Was ist auf dem Bild zu sehen? Ein Kreis über einem grünen Feld. Où est le carré bleu ? À gauche.
Что на картинке? Красный круг. 画像には何がありますか。이미지에 무엇이 있나요?
"""

# What differs from a smaller MiniCPM-V 4.5, by the name of the model's folder.
LLM = {
    "attention_bias": False,
    "head_dim": 16,
    "hidden_size": 128,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000,
    "tie_word_embeddings": False,
}
TOP = {
    "batch_3d_resampler": True,
    "drop_vision_last_layer": False,
    "query_num": 4,
    "use_image_id": True,
    "vision_batch_size": 16,
}
VISION = {
    "hidden_size": 32,
    "image_size": 280,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "patch_size": 14,
}
IMAGES = {"max_slice_nums": 9, "scale_resolution": 42, "norm_mean": [0.5, 0.5, 0.5], "norm_std": [0.5, 0.5, 0.5]}

VARIANTS = {
    "base-f32": {"seed": 1, "dtype": torch.float32, "end_gain": 1.3},
    "wide-bf16-tied": {
        "seed": 2,
        "dtype": torch.bfloat16,
        "llm": {
            "head_dim": 20,
            "hidden_size": 256,
            "intermediate_size": 72,
            "num_attention_heads": 6,
            "num_hidden_layers": 1,
            "num_key_value_heads": 3,
            "tie_word_embeddings": True,
        },
        "top": {"query_num": 6},
        "vision": {
            "hidden_size": 36,
            "image_size": 490,
            "intermediate_size": 40,
            "num_attention_heads": 3,
            "patch_size": 7,
        },
        "images": {"max_slice_nums": 6, "scale_resolution": 35},
    },
    "foreach-f16": {
        "seed": 3,
        "dtype": torch.float16,
        "shards": 2,
        "llm": {"attention_bias": True, "num_key_value_heads": 1},
        "top": {"batch_3d_resampler": False, "drop_vision_last_layer": True, "query_num": 5, "vision_batch_size": 2},
        "vision": {
            "hidden_size": 24,
            "image_size": 128,
            "num_attention_heads": 3,
            "num_hidden_layers": 3,
            "patch_size": 8,
        },
        "images": {"max_slice_nums": 4, "scale_resolution": 32},
    },
    "identity-bf16": {
        "seed": 4,
        "dtype": torch.bfloat16,
        "llm": {"num_hidden_layers": 1, "num_key_value_heads": 4, "rms_norm_eps": 1e-5, "rope_theta": 10000},
        "top": {"use_image_id": False},
        "vision": {
            "hidden_act": "gelu",
            "hidden_size": 128,
            "image_size": 84,
            "intermediate_size": 32,
            "num_attention_heads": 4,
            "num_hidden_layers": 1,
        },
        "images": {
            "max_slice_nums": 4,
            "norm_mean": [0.48145466, 0.4578275, 0.40821073],
            "norm_std": [0.26862954, 0.26130258, 0.27577711],
        },
    },
}


def train_vocabulary(corpus: str, merges: int) -> tuple[dict[str, int], list[str]]:
    """Byte-level BPE: the vocabulary by id and the merges in order. "!" has id 0, as in the public vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + merges, initial_alphabet=alphabet, show_progress=False, special_tokens=[]
    )
    tokenizer.train_from_iterator(corpus.splitlines(keepends=True), trainer)
    trained = json.loads(tokenizer.to_str())["model"]
    assert trained["vocab"]["!"] == 0 and len(trained["merges"]) <= merges
    return trained["vocab"], [" ".join(pair) for pair in trained["merges"]]


def renumber_added_tokens(public: dict, first_id: int) -> list[dict]:
    """The public tokenizer's added tokens in their order, from first_id on. `<unk>` comes first."""
    tokens = [token for _, token in sorted(public["added_tokens_decoder"].items(), key=lambda item: int(item[0]))]
    return [dict(token, id=first_id + i) for i, token in enumerate(tokens)]


def write_json(file: Path, value) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(public_folder: Path, folder: Path, corpus: str = CORPUS, merges: int = MERGES) -> dict[str, int]:
    """Writes the tokenizer's files; returns the added tokens' ids. `<unk>` is an ordinary word of the vocabulary that
    is an added token as well, as in the public one."""
    public = json.loads((public_folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    vocabulary, pairs = train_vocabulary(corpus, merges)
    added = renumber_added_tokens(public, len(vocabulary))
    vocabulary[added[0]["content"]] = added[0]["id"]
    ids = {token["content"]: token["id"] for token in added}
    write_json(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    write_json(folder / "added_tokens.json", {token["content"]: token["id"] for token in added[1:]})
    decoder = {str(token["id"]): {key: token[key] for key in token if key != "id"} for token in added}
    config = {key: value for key, value in public.items() if key != "auto_map"}
    write_json(folder / "tokenizer_config.json", config | {"added_tokens_decoder": decoder})
    shutil.copyfile(public_folder / "special_tokens_map.json", folder / "special_tokens_map.json")
    return ids


def write_configs(variant: dict, ids: dict[str, int], folder: Path) -> None:
    vision = VISION | variant.get("vision", {})
    images = IMAGES | variant.get("images", {})
    top = TOP | variant.get("top", {})
    patch = {"patch_size": vision["patch_size"]}
    slices = {"max_slice_nums": images["max_slice_nums"]}
    config = {
        "version": 4.5,
        "architectures": ["MiniCPMV"],
        "model_type": "minicpmv",
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 40960,
        "max_window_layers": 2,
        "rope_scaling": None,
        "sliding_window": None,
        "torch_dtype": str(variant["dtype"]).removeprefix("torch."),
        "transformers_version": "4.51.0",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": max(ids.values()) + 1,
        "batch_vision_input": True,
        "image_size": 448,
        "slice_config": {"model_type": "minicpmv"} | patch | slices,
        "slice_mode": True,
        "vision_config": {"model_type": "siglip"} | vision,
    }
    write_json(folder / "config.json", config | LLM | variant.get("llm", {}) | top | patch)
    preprocessor = {
        "image_processor_type": "MiniCPMVImageProcessor",
        "processor_class": "MiniCPMVProcessor",
        "use_image_id": top["use_image_id"],
        "image_feature_size": top["query_num"],
        "im_start": "<image>",
        "im_end": "</image>",
        "slice_start": "<slice>",
        "slice_end": "</slice>",
        "unk": "<unk>",
        "im_id_start": "<image_id>",
        "im_id_end": "</image_id>",
        "slice_mode": True,
        "version": 2.6,
    }
    write_json(folder / "preprocessor_config.json", preprocessor | images | patch)
    generation = {
        "bos_token_id": ids["<|endoftext|>"],
        "do_sample": True,
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "pad_token_id": ids["<|endoftext|>"],
        "temperature": 0.6,
        "top_k": 20,
        "top_p": 0.95,
        "transformers_version": "4.51.0",
    }
    write_json(folder / "generation_config.json", generation)


def random_weight(name: str, shape: torch.Size, tied: bool, generator: torch.Generator) -> torch.Tensor:
    """Norms near 1, biases near 0, tables of size about 1, matrices that keep their input's size."""
    values = torch.randn(shape, generator=generator)
    if name == "llm.model.norm.weight" and tied:
        return 4 + values
    if len(shape) == 1:
        is_norm = name.endswith(".weight")
        return 1 + 0.2 * values if is_norm else 0.1 * values
    if name == "llm.model.embed_tokens.weight":
        # Tied ones are small, so that a token does not predict itself; the last norm makes up for it.
        return 0.05 * values if tied else values
    if name == "resampler.query":
        return values
    if name.endswith("position_embedding.weight"):
        return 0.5 * values
    fan_in = shape[0] if name == "resampler.proj" else shape[1:].numel()
    # Wide logits, so that greedy choices are clear.
    gain = 3 if name.endswith("lm_head.weight") else 1
    return gain * values / fan_in**0.5


def random_weights(code, folder: Path, variant: dict) -> dict[str, torch.Tensor]:
    config = code.configuration_minicpm.MiniCPMVConfig.from_pretrained(folder, local_files_only=True)
    shapes = {name: weight.shape for name, weight in code.modeling_minicpmv.MiniCPMV(config).state_dict().items()}
    if config.tie_word_embeddings:
        del shapes["llm.lm_head.weight"]
    generator = torch.Generator().manual_seed(variant["seed"])
    tied = config.tie_word_embeddings
    weights = {name: random_weight(name, shapes[name], tied, generator) for name in sorted(shapes)}
    if "end_gain" in variant:
        # Answers end now and then, as trained ones do.
        weights["llm.lm_head.weight"][config.eos_token_id] *= variant["end_gain"]
    return {name: weight.to(variant["dtype"]).contiguous() for name, weight in weights.items()}


def write_weights(weights: dict[str, torch.Tensor], shards: int, folder: Path) -> None:
    if shards == 1:
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return
    names = list(weights)
    places = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        mine = names[len(names) * shard // shards : len(names) * (shard + 1) // shards]
        places.update(dict.fromkeys(mine, file))
        save_file({name: weights[name] for name in mine}, folder / file, {"format": "pt"})
    total = sum(weight.nbytes for weight in weights.values())
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def make_model(name: str, code, tokenizer: Path, output: Path) -> None:
    variant = VARIANTS[name]
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(tokenizer, folder)
    write_configs(variant, ids, folder)
    write_weights(random_weights(code, folder, variant), variant.get("shards", 1), folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size} bytes", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hf-code", type=Path, required=True, metavar="DIR", help="folder with the model's .py files")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="DIR", help="the public tokenizer's folder")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "models", metavar="DIR")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which models; all of {', '.join(VARIANTS)}")
    arguments = parser.parse_args()
    try:
        unknown = set(arguments.names) - set(VARIANTS)
        if unknown:
            raise InputError(f"there is no model {', '.join(sorted(unknown))}; known are {', '.join(VARIANTS)}")
        code = load_code(arguments.hf_code)
        for name in arguments.names or VARIANTS:
            make_model(name, code, arguments.tokenizer, arguments.output)
    except (InputError, OSError) as error:
        print(f"make_models.py: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
