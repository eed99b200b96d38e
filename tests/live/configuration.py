"""Compares ref/configuration_minicpm.c with the original's MiniCPMVConfig on random config.json files, in which keys are
missing, null or other than their defaults. HF_CODE names the folder of the model's Python files."""

import json
import os
import random
import subprocess
import tempfile
import warnings

from transformers import GenerationConfig

from lib import hf_code
from lib.tap import Tap

TOOL = os.path.join(os.environ.get("BUILD", "build"), "tests/tools/dump_configuration")

# Values that go with each other in any combination. A None is written as null.
VISION = {"hidden_size": (48, 96), "intermediate_size": (5, 80), "num_hidden_layers": (1, 3),
          "num_attention_heads": (2, 4, 12), "image_size": (98, 980), "hidden_act": ("gelu", "relu"),
          "layer_norm_eps": (1e-5, 0)}
SLICES = {"patch_size": (14, 16), "max_slice_nums": (1, 4, 9), "scale_resolution": (224, 448)}
MODEL = {"vocab_size": (300, 151748), "hidden_size": (128, 256, 4096), "intermediate_size": (176, 12288),
         "num_hidden_layers": (1, 36), "num_attention_heads": (32, 64), "num_key_value_heads": (8, 32, None),
         "head_dim": (64, 128), "hidden_act": ("silu", "gelu_pytorch_tanh"), "rms_norm_eps": (1e-5, 1e-6),
         "rope_theta": (1000000, 1e4), "attention_bias": (True, False), "tie_word_embeddings": (True, False),
         "max_position_embeddings": (2048, 40960), "query_num": (16, 64), "image_size": (448,),
         "drop_vision_last_layer": (True, False), "batch_vision_input": (True, False), "use_image_id": (True, False),
         "slice_mode": (True, False), "vision_batch_size": (1, 16), "batch_3d_resampler": (True, False),
         "temperature": (0.7, None), "top_p": (0.8, None), "top_k": (0, 20, None), "min_p": (0.1, None),
         "repetition_penalty": (1.2, None), "length_penalty": (0.5, None), "num_beams": (1, 3, None),
         "early_stopping": (True, False, "never", None), "do_sample": (True, False), "rope_scaling": (None,),
         "sliding_window": (None, 4096), "use_sliding_window": (False,), "transformers_version": ("4.51.0",),
         "no_repeat_ngram_size": (0, None), "num_return_sequences": (1,), "unknown_key": ({}, None)}


def some(chosen, values):
    return {key: chosen.choice(choices) for key, choices in values.items() if chosen.random() < 0.5}


def random_configuration(chosen):
    configuration = some(chosen, MODEL)
    kind = chosen.randrange(4)
    if kind:
        configuration["vision_config"] = None if kind == 1 else some(chosen, VISION)
        if kind == 2 and chosen.random() < 0.5:
            configuration["vision_config"].update(patch_size=14)
    if chosen.random() < 0.7:
        configuration["slice_config"] = chosen.choice((None, some(chosen, SLICES)))
    return configuration


def of_original(code, configuration):
    """What the tool prints, of the original's objects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = code.configuration_minicpm.MiniCPMVConfig(**json.loads(json.dumps(configuration)))
        generation = GenerationConfig.from_model_config(config)
    found = {key: getattr(config, key) for key in MODEL if hasattr(config, key)}
    found["patch_size"] = config.patch_size
    found["vision_config"] = {key: getattr(config.vision_config, key)
                              for key in (*VISION, "num_channels", "patch_size")}
    found["slice_config"] = {key: getattr(config.slice_config, key) for key in SLICES}
    found["generation"] = {key: getattr(generation, key) for key in (
        "temperature", "top_p", "repetition_penalty", "length_penalty", "top_k", "num_beams", "do_sample")}
    found["generation"].update(min_p=generation.min_p or 0, early_stopping=str(generation.early_stopping))
    return found


def differences(ours, theirs, place=""):
    for key, value in ours.items():
        if isinstance(value, dict):
            yield from differences(value, theirs[key], f"{place}{key}.")
        elif value != theirs[key]:
            yield f"{place}{key}: the original has {theirs[key]!r}, we have {value!r}"


def main():
    code = hf_code.load_or_skip()
    tap, chosen, wrong, refused = Tap(), random.Random(1), [], 0
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            [TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
        for _ in range(500):
            configuration = random_configuration(chosen)
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
                json.dump(configuration, file)
            tool.stdin.write(folder + "\n")
            tool.stdin.flush()
            answer = tool.stdout.readline()
            if answer.startswith("3 "):  # combinations that fit no model
                refused += 1
            elif answer.startswith("4 "):
                wrong.append(answer)
            else:
                found = differences(json.loads(answer), of_original(code, configuration))
                wrong += [f"{json.dumps(configuration)}: {difference}" for difference in found]
        tool.stdin.close()
    tap.check(not wrong and refused < 100, f"500 configurations, {refused} of them refused",
              f"{len(wrong)} differ\n" + "\n".join(wrong[:5]))
    tap.end()


main()
