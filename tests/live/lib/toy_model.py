"""A language model to test decoding with, and transformers' generate on it. tests/toy_model.h is the same in C.

A row's logits are a hash of its prompt and of every id that it was given.
"""

import contextlib
import math
import warnings
from unittest import mock

import numpy as np
import torch
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

MASK = 2**32 - 1
GENERATE_OPTIONS = (
    "num_beams", "max_new_tokens", "min_new_tokens", "repetition_penalty", "length_penalty", "early_stopping",
    "pad_token_id", "do_sample",
)
SAMPLING_OPTIONS = ("temperature", "top_k", "top_p", "min_p")


def mix(x):
    """Of an int or an array of uint64 below 2^32."""
    x = (x ^ (x >> 16)) * 0x7FEB352D & MASK
    x = (x ^ (x >> 15)) * 0x846CA68B & MASK
    return x ^ (x >> 16)


class ToyConfig(PretrainedConfig):
    model_type = "toy"

    def __init__(self, vocab_size=24, **kwargs):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.num_hidden_layers = 1


class Toy(PreTrainedModel, GenerationMixin):
    """Prompts are embeddings of one position and one number."""

    config_class = ToyConfig

    def __init__(self, setting):
        super().__init__(ToyConfig(setting["vocab_size"]))
        self.setting = setting
        self.calls = 0
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.generation_config = GenerationConfig()

    def prepare_inputs_for_generation(self, input_ids, inputs_embeds=None, attention_mask=None, **_):
        return {"input_ids": input_ids, "inputs_embeds": inputs_embeds}

    def forward(self, input_ids=None, inputs_embeds=None, **_):
        self.calls += 1
        rows = [
            self.logits(int(prompt[0, 0]), ids.tolist()) for prompt, ids in zip(inputs_embeds, input_ids, strict=True)
        ]
        return CausalLMOutput(logits=torch.from_numpy(np.stack(rows))[:, None, :])

    def logits(self, prompt, ids):
        setting, tokens = self.setting, np.arange(self.setting["vocab_size"], dtype=np.uint64)
        state = mix(prompt + 1)
        for token in ids:
            state = mix(state * 31 + token + 1 & MASK)
        numbers = mix(np.uint64(state) + 977 * tokens & MASK) % 2**19
        values = setting["scale"] * ((numbers >> (16 - setting["bits"])) * 2.0 ** -setting["bits"] - 4)
        values[np.isin(tokens, setting["eos_token_id"])] += setting["end_bonus"]
        holes = mix(np.uint64(state) ^ (tokens * 0x9E3779B9 & MASK)) % 16 < setting["holes"]
        values[holes & (tokens > 0)] = -math.inf
        return values.astype(np.float32)


class SplitMix64:
    """core/random.h."""

    def __init__(self, seed, stream):
        self.state = self.mix(self.mix(np.uint64(seed)) + np.uint64(stream))

    @staticmethod
    def mix(z):
        z = (z ^ (z >> 30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> 27)) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> 31)

    def next(self, count):
        states = self.state + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        self.state = states[-1]
        return self.mix(states)


def multinomial_of(seed):
    """torch.multinomial with the random numbers of ref/: a stream for each row."""
    streams = {}

    def one(probs, stream):
        cumulative = np.cumsum(probs)
        target = (stream.next(1)[0] >> 11) * 2.0**-53 * cumulative[-1]
        return [int(np.argmax(cumulative > target))]

    def several(probs, count, stream):
        uniform = ((stream.next(len(probs)) >> 12) + 0.5) * 2.0**-52
        quotients = (probs / -np.log1p(-uniform)).astype(np.float32)
        return np.argsort(-quotients, kind="stable")[:count].tolist()

    def multinomial(probs, num_samples):
        chosen = []
        for row, values in enumerate(probs.numpy().astype(np.float64)):
            stream = streams.setdefault(row, SplitMix64(seed, row))
            chosen.append(one(values, stream) if num_samples == 1 else several(values, num_samples, stream))
        return torch.tensor(chosen)

    return multinomial


def topk_by_index(scores, k):
    values, indices = torch.sort(scores, dim=-1, descending=True, stable=True)
    return values[..., :k], indices[..., :k]


@contextlib.contextmanager
def ties_by_index():
    """torch leaves the order of equal numbers open (its sort gives another one on another CPU); ref/ takes the smaller
    index first. Equal numbers are not rare: beams that must not be chosen all have scores of -1e9 in FP32."""
    sort, argsort = torch.sort, torch.argsort
    with (
        mock.patch.object(torch, "topk", topk_by_index),
        mock.patch.object(torch, "sort", lambda *args, **kwargs: sort(*args, **{"stable": True} | kwargs)),
        mock.patch.object(torch, "argsort", lambda *args, **kwargs: argsort(*args, **{"stable": True} | kwargs)),
    ):
        yield


class Recorder(list):
    """Passes calls on to a list of processors and notes each row's history and its scores behind it."""

    def __init__(self, processors):
        super().__init__()
        self.processors = processors

    def __call__(self, input_ids, scores):
        processed = self.processors(input_ids, scores)
        self.extend(zip(input_ids.tolist(), processed.tolist(), strict=True))
        return processed


def decode(setting):
    """What generate makes of a setting: ids and the steps behind the prompt; and what its processors made: (history,
    scores) of every row, step after step."""
    model, recorders = Toy(setting), []
    make_processors = model._get_logits_processor

    def recorded(**kwargs):
        recorders.append(Recorder(make_processors(**kwargs)))
        return recorders[-1]

    keys = GENERATE_OPTIONS + (SAMPLING_OPTIONS if setting["do_sample"] else ())
    prompts = torch.tensor(setting["prompts"], dtype=torch.float32)[:, None, None]
    with (
        warnings.catch_warnings(),
        np.errstate(over="ignore"),
        ties_by_index(),
        mock.patch.object(torch, "multinomial", multinomial_of(setting["seed"])),
        mock.patch.object(model, "_get_logits_processor", recorded),
    ):
        warnings.simplefilter("ignore")
        output = model.generate(
            inputs_embeds=prompts,
            attention_mask=torch.ones(len(prompts), 1, dtype=torch.long),
            eos_token_id=setting["eos_token_id"] or None,
            **{key: setting[key] for key in keys},
        )
    return {"sequences": output.tolist(), "steps": model.calls - 1}, recorders[0]


def random_setting(rng, **fixed):
    """Any setting of the toy and of generate."""
    vocab_size = fixed.get("vocab_size") or rng.choice([12, 16, 24, 24, 100, 700])
    setting = {
        "prompts": [rng.randrange(10000) for _ in range(rng.choice([1, 1, 2, 3, 4]))],
        "vocab_size": vocab_size,
        "bits": 16,
        "scale": rng.choice([0.25, 1, 1, 2, 4]),
        "holes": rng.choice([0, 0, 0, 4]),
        "end_bonus": rng.choice([-2, 0, 1, 2, 3, 4]),
        "eos_token_id": rng.choice([[], [vocab_size - 1], *[[vocab_size - 1, vocab_size - 2]] * 3, [3, 0, 5],
                                    [4, vocab_size + 7]]),
        "do_sample": False,
        "num_beams": rng.choice([1, 1, 2, 3, 3, 4, 5]),
        "max_new_tokens": rng.choice([1, 2, 5, 9, 14, 25]),
        "min_new_tokens": rng.choice([0, 0, 1, 3, 20]),
        "repetition_penalty": rng.choice([1.0, 1.2, 1.05, 1.03, 0.8]),
        "length_penalty": rng.choice([1.0, 1.0, 0.5, 2.0, 0.0, -0.5, -1.0]),
        "early_stopping": rng.choice([False, False, True, "never"]),
        "pad_token_id": rng.choice([0, 0, 5]),
        "temperature": rng.choice([1.0, 0.7, 0.3, 1.7]),
        "top_k": rng.choice([0, 1, 3, 10, 50, 100]),
        "top_p": rng.choice([1.0, 1.0, 0.95, 0.8, 0.75, 0.5, 0.1, 0.0]),
        "min_p": rng.choice([0.0, 0.0, 0.05, 0.3, 1.0]),
        "seed": rng.randrange(2**32),
    }
    return setting | fixed


def equal_logits(rng):
    """Overrides for random_setting that make many tokens equal, or all: then sums of probabilities meet top_p exactly."""
    all_equal = {"scale": 0, "vocab_size": 16, "holes": 0, "end_bonus": 0, "repetition_penalty": 1.0}
    return rng.choice([{"bits": 1, "scale": scale} for scale in (0.25, 1, 2)] + [all_equal])
