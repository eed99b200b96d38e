#!/usr/bin/env python3
"""Trains the demo model in golden/demo: a small MiniCPM-V 4.5 that answers questions about the scenes of demo_data.py.

First the encoder, then the encoder and the resampler learn what lies in each cell of a picture (a linear layer, thrown
away later, reads it off every patch and every query). Then the language model learns to answer, while they go on
learning cells, slowly. Scenes are made as training goes, each step from a seed of its own, so a run that is stopped
goes on from its last checkpoint as if nothing had happened.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

# First, and used once: hf_model keeps what is imported after it to AVX2, which training need not be.
import torch

torch.ones(8).exp()
from hf_model import InputError, load_code

for name in ("ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS"):
    os.environ.pop(name)

import numpy as np
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import demo_data as data
import make_models

LLM = {
    "attention_bias": False,
    "head_dim": 64,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "max_window_layers": 4,
    "rope_theta": 10000,
}
QUERIES = data.GRID * data.GRID
VARIANT = {
    "dtype": torch.bfloat16,
    "llm": LLM,
    "top": {"query_num": QUERIES},
    "vision": {
        "hidden_size": 192,
        "image_size": data.SIDE,
        "intermediate_size": 512,
        "num_attention_heads": 6,
        "num_hidden_layers": 3,
        "patch_size": data.CELL,
    },
    "images": {"max_slice_nums": 9, "scale_resolution": data.SIDE},
}
MERGES = 600
PATCHES = data.SIDE // data.CELL

# A cell's contents, each a class, and how many classes there are. 0: nothing.
CONTENTS = {
    "shape": 1 + len(data.SHAPES),
    "colour": 1 + len(data.COLOURS),
    "sign": 1 + len(data.SIGN_COLOURS),
    "word": 1 + len(data.WORDS),
    "tens": 11,
    "ones": 11,
}
UNKNOWN = -100  # not asked for: too small to see, or cut

# What a word in a question or an answer stands for in the scene: how many there are of it in the first and the last
# picture or frame, and where it is one alone, its colour, its cell in both, its shape, where it moves, what is written
# on it. "It" means one thing, too, and so does "What happens?". A picture's tokens mean the place of what they show in
# the list of things, how many of its shape and colour there are so far, and the first or the second picture.
MEANINGS = {
    "first count": 5,
    "last count": 5,
    "colour": len(data.COLOURS),
    "first row": data.GRID,
    "first column": data.GRID,
    "last row": data.GRID,
    "last column": data.GRID,
    "shape": len(data.SHAPES),
    "direction": len(data.DIRECTIONS),
    "word": len(data.WORDS),
    "tens": 10,
    "ones": 10,
    "rank": 5,
    "shapes so far": 5,
    "colours so far": 5,
    "picture": 2,
}

WEIGHTS = {"patches": 1.0, "queries": 1.0, "place": 0.3, "words": 0.15, "answers": 1.0}

# Scenes a step, and questions a scene.
BATCHES = {"small": (8, 6), "note": (10, 4), "large": (6, 4), "pair": (10, 4), "clip": (10, 4)}
# How often each is asked, at first and when counting, the slowest to come, is practised once more.
MIXTURES = {
    "language": ("small",) * 4 + ("clip", "pair", "note", "large") * 2,
    "review": ("small",) * 8 + ("clip", "pair", "note", "large", "pair"),
}
# Scenes a step while there are no questions.
PICTURES = {"small": 40, "large": 6, "sheet": 28}
CLIPS = 48


# ---- Tokenizer and configuration ----


# Chinese is written without spaces: cut like this, a word becomes an entry of the vocabulary and a sentence does not.
CHINESE = (
    "图里 什么 是什么 有什么 哪些 几个 形状 颜色 单词 数字 牌子上 写着 哪里 哪边 哪张图 在 的 有 和 吗 呢 它 多少 是 "
    "左边 右边 上面 下面 还是 没有 更多 是 否 两张 第一张 第二张 发生了 向 移动 先 出现 ？ 。 、"
).split()


def corpus() -> str:
    """What the vocabulary is trained on: every kind of question and answer, and the words of the chat template."""
    rng = np.random.default_rng(0)
    lines = ["\n\nuser\nassistant\nsystem think\n\n"] * 1000
    for kind in data.ASKS:
        for _ in range(600):
            scene = data.make_scene(kind, rng, False)
            items = [item for item in (data.make_item(rng, scene) for _ in range(4)) if item.language == "en"]
            lines += [text for item in items for turn in item.turns for text in turn]
            lines += [item.thought for item in items if item.thought]
    named = [*data.SHAPES, *(colour[0] for colour in data.COLOURS + data.SIGN_COLOURS)]
    names = [comma + chinese for _, chinese in named for comma in ("", "、")]
    lines += [*data.WORDS, *CHINESE, *data.PLACES[1], *names] * 20
    return "".join(line + "\n" for line in lines)


def write_folder(code, tokenizer: Path, folder: Path) -> None:
    """All of the checkpoint but its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = make_models.write_tokenizer(tokenizer, folder, corpus(), MERGES)
    make_models.write_configs(VARIANT, ids, folder)


# ---- Batches ----


def cell_targets(things, signs=()) -> np.ndarray:
    """[9, contents]: what lies in each cell of a picture. Signs' cells count from the picture's own corner."""
    cells = np.zeros((QUERIES, len(CONTENTS)), dtype=np.int64)
    for thing in things:
        cells[thing.row * data.GRID + thing.col, :2] = (1 + thing.shape, 1 + thing.colour)
    for s in signs:
        cells[s.row * data.GRID + s.col, 2:] = (1 + s.colour, 1 + s.word, 1 + s.number // 10, 1 + s.number % 10)
    return cells


def scene_targets(scene) -> np.ndarray:
    """[blocks, 2, 9, contents]: of each block of tokens, what its first and its last frame show."""
    if scene.kind == "clip":
        return np.stack([[cell_targets(scene.things[0]), cell_targets(scene.things[-1])]])
    if scene.kind != "large":
        return np.stack([[cell_targets(things, scene.signs)] * 2 for things in scene.things])
    overview = cell_targets(scene.things[0])
    overview[:, 3:] = UNKNOWN
    for sign in scene.signs:
        overview[sign.row // 2 * data.GRID + sign.col // 2, 2] = 1 + sign.colour
    blocks = [overview]
    for top, left in ((0, 0), (0, data.GRID), (data.GRID, 0), (data.GRID, data.GRID)):
        inside = [s for s in scene.signs if 0 <= s.row - top < data.GRID and 0 <= s.col - left < data.GRID]
        block = cell_targets((), [replace(s, row=s.row - top, col=s.col - left) for s in inside])
        block[:, :2] = UNKNOWN
        blocks.append(block)
    return np.stack([[block] * 2 for block in blocks])


def scene_pictures(scene) -> list[np.ndarray]:
    """What preprocessing makes of a scene's images: a large one becomes an overview and four slices."""
    if scene.kind != "large":
        return scene.images
    image = scene.images[0]
    overview = data.Image.fromarray(image).resize((data.SIDE, data.SIDE), data.Image.Resampling.BICUBIC)
    slices = [image[y : y + data.SIDE, x : x + data.SIDE] for y in (0, data.SIDE) for x in (0, data.SIDE)]
    return [np.asarray(overview), *slices]


class Prompts:
    """The text around pictures and questions, as ids. Kept, as the same strings come again and again."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.known = {}
        self.words = {}
        names = [("shape", i, name) for i, pair in enumerate(data.SHAPES) for name in (*pair, data.PLURALS[i])]
        names += [("colour", i, name) for i, (pair, _) in enumerate(data.COLOURS) for name in pair]
        names += [("sign", i, name) for i, (pair, _) in enumerate(data.SIGN_COLOURS) for name in pair]
        for kind, index, name in names:
            for spelled in (name, " " + name, "、" + name):
                ids = self.encode(spelled)
                if len(ids) == 1:
                    self.words[ids[0]] = (kind, index)
        self.words |= {self.encode(word)[0]: ("it", 0) for word in (" it", "它")}
        self.words |= {self.encode(word)[0]: ("story", 0) for word in (" happens", "发生了")}
        self.words |= {self.encode(word)[0]: ("any", 0) for word in (" shapes", "形状")}
        self.linking = set(self.encode("的"))

    def encode(self, text: str) -> list[int]:
        if text not in self.known:
            self.known[text] = self.tokenizer.encode(text, add_special_tokens=False)
        return self.known[text]

    def image_places(self, ids: list[int]) -> list[int]:
        block = self.tokenizer.convert_tokens_to_ids("<unk>")
        return [place for place, token in enumerate(ids) if token == block]

    def prefix(self, kind: str) -> list[int]:
        """Up to the question."""
        block = "<unk>" * QUERIES
        image = lambda i: f"<image_id>{i}</image_id><image>{block}</image>"
        row = f"<slice>{block}</slice>" * 2
        images = {"large": image(0) + row + "\n" + row, "pair": image(0) + "\n" + image(1)}.get(kind, image(0))
        return self.encode(f"<|im_start|>user\n{images}\n")

    def branch(self, item) -> tuple[list[int], int]:
        """From the question to the answer's end, and how many of the last ids are the answer."""
        ids = []
        for i, (question, answer) in enumerate(item.turns):
            if i:
                ids += self.encode("<|im_start|>user\n")
            ids += self.encode(question) + self.encode("<|im_end|>\n<|im_start|>assistant\n")
            if i < len(item.turns) - 1:
                ids = ids + self.encode(answer) + self.encode("<|im_end|>\n")
        if item.thought is None:
            ids = ids + self.encode("<think>\n\n</think>\n\n")
            told = self.encode(item.answer)
        else:
            ids = ids + self.encode("<think>\n")
            told = self.encode(item.thought) + self.encode("\n</think>\n\n") + self.encode(item.answer)
        told = told + self.encode("<|im_end|>")
        return ids + told, len(told)


def meaning_of(scene, kind: str, index: int, colour: int | None) -> list[int]:
    """The MEANINGS of a word, behind a colour's name perhaps."""
    found = dict.fromkeys(MEANINGS, UNKNOWN)
    if kind == "sign":
        for sign in scene.signs:
            if sign.colour == index:
                found |= {"word": sign.word, "tens": sign.number // 10, "ones": sign.number % 10}
        return list(found.values())
    views = [scene.things[0], scene.things[-1]]
    if kind == "story":
        moved = scene.story[1] if scene.story and scene.story[0] == "move" else None
        views = [[t for t in view if moved and (t.shape, t.colour) == (moved.shape, moved.colour)] for view in views]
    elif kind == "colour":
        views = [[thing for thing in view if thing.colour == index] for view in views]
    else:
        views = [[t for t in view if kind == "any" or t.shape == index] for view in views]
        views = [[t for t in view if colour is None or t.colour == colour] for view in views]
    found |= {"first count": len(views[0]), "last count": len(views[1])}
    if scene.kind != "pair":
        for when, view in zip(("first", "last"), views):
            if len(view) == 1:
                thing = view[0]
                found |= {"shape": thing.shape, "colour": thing.colour}
                found |= {f"{when} row": thing.row, f"{when} column": thing.col}
                if scene.story and scene.story[0] == "move" and scene.story[1].shape == thing.shape:
                    found["direction"] = scene.story[2]
    return list(found.values())


def picture_meanings(scene) -> list[list[int]]:
    """MEANINGS of the pictures' tokens, block by block."""
    meanings = []
    for picture, things in enumerate(scene.things):
        found = [dict.fromkeys(MEANINGS, UNKNOWN) | {"rank": 0, "picture": picture} for _ in range(QUERIES)]
        for i, thing in enumerate(things):
            found[thing.row * data.GRID + thing.col] |= {
                "rank": i + 1,
                "shapes so far": sum(t.shape == thing.shape for t in things[: i + 1]),
                "colours so far": sum(t.colour == thing.colour for t in things[: i + 1]),
            }
        meanings += [list(cell.values()) for cell in found]
    return meanings


def meanings_of(scene, ids: list[int], prompts: Prompts) -> list[list[int]]:
    """MEANINGS of each token; UNKNOWN where it is no such word."""
    meanings, colour, shape = [], None, None
    for token in ids:
        kind, index = prompts.words.get(token, (None, 0))
        if kind == "it":
            kind, index = "shape", shape
        meanings.append(meaning_of(scene, kind, index, colour) if kind else [UNKNOWN] * len(MEANINGS))
        if kind == "shape":
            shape = index
        if kind == "colour":
            colour = index
        elif token not in prompts.linking:
            colour = None
    return meanings


def normalize(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def make_batch(kind: str, scenes: int, questions: int, prompts: Prompts, rng) -> dict:
    """Scenes with several questions each. The questions about a scene share its prefix: each sees the prefix and
    itself, and its positions go on from the prefix."""
    made = [data.make_scene(kind, rng, False) for _ in range(scenes)]
    batch = {
        "kind": kind,
        "pixels": normalize([picture for scene in made for picture in scene_pictures(scene)]),
        "targets": torch.from_numpy(np.concatenate([scene_targets(scene) for scene in made])),
        "times": torch.tensor([scene.times for scene in made]) if kind == "clip" else None,
    }
    if not questions:
        return batch
    prefix = prompts.prefix(kind)
    rows = []
    for scene in made:
        ids, places, branches = list(prefix), list(range(len(prefix))), [0] * len(prefix)
        labels, weights = [UNKNOWN] * len(prefix), [0.0] * len(prefix)
        meanings = [[UNKNOWN] * len(MEANINGS)] * len(prefix)
        if kind in ("small", "pair"):
            for place, meaning in zip(prompts.image_places(prefix), picture_meanings(scene)):
                meanings[place] = meaning
        for k in range(questions):
            branch, told = prompts.branch(data.make_item(rng, scene))
            ids += branch
            places += range(len(prefix), len(prefix) + len(branch))
            branches += [k + 1] * len(branch)
            labels += [UNKNOWN] * (len(branch) - told) + branch[-told:]
            weights += [0.0] * (len(branch) - told) + [told**-0.5] * told
            meanings += meanings_of(scene, branch, prompts)
        rows.append((ids, places, branches, labels, weights, meanings))
    length = max(len(row[0]) for row in rows)
    pad = lambda column, value: torch.tensor([row[column] + [value] * (length - len(row[column])) for row in rows])
    ids, places, branches, labels = pad(0, 0), pad(1, 0), pad(2, 0), pad(3, UNKNOWN)
    sees = (branches[:, None, :] == 0) | (branches[:, None, :] == branches[:, :, None])
    sees &= torch.ones(length, length, dtype=torch.bool).tril()
    batch |= {"ids": ids, "places": places, "labels": labels, "weights": pad(4, 0.0)}
    batch["meanings"] = pad(5, [UNKNOWN] * len(MEANINGS))
    batch["mask"] = torch.zeros(sees.shape).masked_fill_(~sees, torch.finfo(torch.float32).min)[:, None]
    batch["image_places"] = prompts.tokenizer.convert_tokens_to_ids("<unk>") == ids
    return batch


def make_pictures(rng) -> dict:
    """Pictures and their cells alone, several kinds of scenes together."""
    parts = [make_batch(kind, count, 0, None, rng) for kind, count in PICTURES.items()]
    joined = {key: torch.cat([part[key] for part in parts]) for key in ("pixels", "targets")}
    return joined | {"kind": "pictures", "times": None}


# ---- Training ----


class Trainer(torch.nn.Module):
    """The model and the linear layers that read off the cells' contents."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        classes = sum(CONTENTS.values())
        self.read_patches = torch.nn.Linear(model.vision_dim, classes)
        self.read_queries = torch.nn.Linear(model.embed_dim, 2 * classes)
        self.read_place = torch.nn.Linear(model.embed_dim, QUERIES)
        self.read_words = torch.nn.Linear(model.embed_dim, sum(MEANINGS.values()))

    def encode(self, pixels):
        """[N, 3, side, side] to [N, patches, vision width]: vpm's forward for whole pictures, without its mask."""
        vpm = self.model.vpm
        patches = vpm.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2)
        hidden = patches + vpm.embeddings.position_embedding.weight
        return vpm.post_layernorm(vpm.encoder(inputs_embeds=hidden).last_hidden_state)

    def resample(self, hidden, times):
        """[N, patches, vision width] to [blocks, queries, width]: the resampler's forward for equal pictures."""
        r = self.model.resampler
        x = r.ln_kv(r.kv_proj(hidden))
        keys = x + r.pos_embed[:PATCHES, :PATCHES].reshape(-1, r.embed_dim)
        if times is not None:
            blocks, frames = times.shape
            keys = (keys + r.temporal_pos_embed[times.flatten()][:, None]).reshape(blocks, -1, r.embed_dim)
            x = x.reshape(blocks, -1, r.embed_dim)
        queries = r.ln_q(r.query)[:, None].expand(-1, len(x), -1)
        out = r.attn(queries, keys.transpose(0, 1), x.transpose(0, 1), need_weights=False)[0]
        return r.ln_post(out.transpose(0, 1)) @ r.proj

    def cell_loss(self, logits, targets):
        """logits [..., classes], targets [..., contents]. Cells with something in them weigh more."""
        losses = []
        start = 0
        for i, classes in enumerate(CONTENTS.values()):
            wanted = targets[..., i].flatten()
            loss = F.cross_entropy(
                logits[..., start : start + classes].flatten(0, -2), wanted, ignore_index=UNKNOWN, reduction="none"
            )
            weight = torch.where(wanted > 0, 1.0, 0.1) * (wanted != UNKNOWN)
            losses.append((loss * weight).sum() / weight.sum().clamp(min=1))
            start += classes
        return sum(losses)

    def picture_losses(self, batch, queries: bool):
        """The losses of reading off cells, and how often that is right; of the patches alone at first."""
        hidden = self.encode(batch["pixels"])
        targets = batch["targets"]
        losses, right = {}, {}
        if batch["times"] is None:
            read = self.read_patches(hidden)[:, None]
            losses["patches"] = self.cell_loss(read, targets[:, :1])
            right = self.cell_accuracy("patch", read, targets[:, :1])
        if queries:
            tokens = self.resample(hidden, batch["times"])
            read = self.read_queries(tokens).unflatten(-1, (2, -1)).transpose(1, 2)  # [blocks, 2, queries, classes]
            losses["queries"] = self.cell_loss(read, targets)
            place = torch.arange(QUERIES).repeat(len(tokens))
            losses["place"] = F.cross_entropy(self.read_place(tokens).flatten(0, 1), place)
            right |= self.cell_accuracy("clip" if batch["kind"] == "clip" else "query", read, targets)
        return losses, right

    def forward(self, batch, queries: bool):
        """The losses by name, and how often guesses are right."""
        if "ids" not in batch:
            return self.picture_losses(batch, queries)
        with torch.no_grad():
            tokens = self.resample(self.encode(batch["pixels"]), batch["times"])
        return self.answer_losses(batch, tokens)

    @torch.no_grad()
    def cell_accuracy(self, which, read, targets):
        right, start = {}, 0
        for i, (name, classes) in enumerate(CONTENTS.items()):
            wanted = targets[..., i]
            there = wanted > 0
            if there.any():
                found = read[..., start : start + classes].argmax(-1) == wanted
                right[f"{which} {name}"] = found[there].float().mean().item()
            start += classes
        return right

    def answer_losses(self, batch, tokens):
        """The losses of the words' meanings, read off halfway through the language model, and of the answers."""
        llm = self.model.llm
        embeds = llm.model.embed_tokens(batch["ids"]).clone()
        embeds[batch["image_places"]] = tokens.flatten(0, 1).to(embeds.dtype)
        out = llm.model(
            inputs_embeds=embeds,
            attention_mask=batch["mask"],
            position_ids=batch["places"],
            use_cache=False,
            output_hidden_states=True,
        )
        words, right = self.word_losses(out.hidden_states[len(llm.model.layers) // 2], batch["meanings"])
        labels = batch["labels"][:, 1:]
        logits = llm.lm_head(out.last_hidden_state[:, :-1][labels != UNKNOWN])
        weights = batch["weights"][:, 1:][labels != UNKNOWN]
        labels = labels[labels != UNKNOWN]
        loss = (F.cross_entropy(logits, labels, reduction="none") * weights).sum() / weights.sum()
        right["answers"] = (logits.argmax(-1) == labels).float().mean().item()
        return {"words": words, "answers": loss}, right

    def word_losses(self, hidden, meanings):
        there = (meanings != UNKNOWN).any(-1)
        meanings, logits = meanings[there], self.read_words(hidden[there])
        losses, right, start = [], {}, 0
        for i, (name, classes) in enumerate(MEANINGS.items()):
            wanted, guess = meanings[:, i], logits[:, start : start + classes]
            known = wanted != UNKNOWN
            if known.any():
                losses.append(F.cross_entropy(guess[known], wanted[known]))
                right[f"means {name}"] = (guess.argmax(-1) == wanted)[known].float().mean().item()
            start += classes
        return sum(losses) if losses else logits.sum() * 0, right


def phases_of(arguments) -> tuple[tuple[str, int, float], ...]:
    """What is learned one after the other: name, steps, highest learning rate."""
    return (
        ("patches", arguments.patch_steps, 2e-3),
        ("queries", arguments.query_steps, 1.5e-3),
        ("language", arguments.language_steps, arguments.rate),
        ("review", arguments.review_steps, arguments.rate / 3),
    )


def phase_of(step: int, arguments) -> tuple[str, float]:
    """A step's phase and learning rate: up, and, but for the first phase, down to nothing at the phase's end."""
    begin = 0
    for phase, steps, peak in phases_of(arguments):
        if step < begin + steps:
            done = 0 if phase == "patches" else (step - begin) / steps
            return phase, peak * min(1.0, (step - begin + 1) / 50) * min(1.0, (1 - done) / 0.6)
        begin += steps
    raise InputError(f"step {step}: expected one below {begin}, the number of all steps")


def plan_batch(phase: str, step: int, prompts: Prompts, rng) -> dict:
    """Questions four times in five, once the language model learns, and cells for the rest; clips every other time."""
    if phase in MIXTURES and step % 5:
        kind = MIXTURES[phase][rng.integers(len(MIXTURES[phase]))]
        return make_batch(kind, *BATCHES[kind], prompts, rng)
    if phase != "patches" and step % 2:
        return make_batch("clip", CLIPS, 0, prompts, rng)
    return make_pictures(rng)


def new_model(code, folder: Path, seed: int):
    config = code.configuration_minicpm.MiniCPMVConfig.from_pretrained(folder, local_files_only=True)
    torch.manual_seed(seed)
    model = code.modeling_minicpmv.MiniCPMV(config).float()
    model.llm.config._attn_implementation = "eager"  # the quickest here
    with torch.no_grad():
        # What a patch shows counts first, not its mean colour, its place or its neighbours.
        patches = model.vpm.embeddings.patch_embedding.weight
        patches.mul_(3).sub_(patches.mean((2, 3), keepdim=True))
        torch.nn.init.normal_(model.vpm.embeddings.position_embedding.weight, std=0.02)
        for layer in model.vpm.encoder.layers:
            layer.self_attn.out_proj.weight.mul_(0.1)
    torch.nn.init.normal_(model.resampler.query, std=1.0)
    torch.nn.init.normal_(model.llm.model.embed_tokens.weight, std=0.3)
    return model


def save_model(model, folder: Path) -> None:
    weights = {name: weight.to(torch.bfloat16).contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def train(arguments, code) -> None:
    folder, state_file = arguments.output, arguments.state
    if not (folder / "config.json").is_file():
        write_folder(code, arguments.tokenizer, folder)
    tokenizer = code.tokenization_minicpmv_fast.MiniCPMVTokenizerFast.from_pretrained(folder, local_files_only=True)
    prompts = Prompts(tokenizer)
    trainer = Trainer(new_model(code, folder, arguments.seed))
    trainable = [p for p in trainer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02)
    first, last = 0, sum(steps for _, steps, _ in phases_of(arguments))
    if state_file.is_file():
        state = torch.load(state_file, weights_only=True)
        trainer.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    parameters = sum(p.numel() for p in trainer.model.parameters())
    print(f"{parameters} parameters, from step {first} of {last}", file=sys.stderr)
    begin = time.monotonic()
    seen = {}
    for step in range(first, last):
        rng = np.random.default_rng((arguments.seed, step))
        phase, rate = phase_of(step, arguments)
        batch = plan_batch(phase, step, prompts, rng)
        for group in optimizer.param_groups:
            group["lr"] = rate if phase not in MIXTURES or "ids" in batch else 0.3 * rate
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bf16):
            losses, right = trainer(batch, phase != "patches")
        total = sum(WEIGHTS[name] * loss for name, loss in losses.items())
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        for name, value in (right | {f"loss.{k}": v.item() for k, v in losses.items()}).items():
            key = f"{batch['kind']}.{name}"
            seen[key] = value if key not in seen else 0.9 * seen[key] + 0.1 * value
        if (step + 1) % arguments.report == 0:
            spent = (time.monotonic() - begin) / (step + 1 - first)
            shown = " ".join(f"{k} {v:.3f}" for k, v in sorted(seen.items()) if ".loss." not in k or "answers" in k)
            print(f"{step + 1} {spent:.2f}s {shown}", file=sys.stderr, flush=True)
        if (step + 1) % arguments.save == 0 or step + 1 == last:
            state = {"model": trainer.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state, state_file.with_suffix(".new"))
            state_file.with_suffix(".new").replace(state_file)
            save_model(trainer.model, folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hf-code", type=Path, required=True, metavar="DIR", help="folder with the model's .py files")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="DIR", help="the public tokenizer's folder")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "demo", metavar="DIR")
    parser.add_argument("--state", type=Path, required=True, metavar="FILE", help="where a stopped run goes on from")
    parser.add_argument("--patch-steps", type=int, default=600, help="of the encoder alone")
    parser.add_argument("--query-steps", type=int, default=1300, help="of encoder and resampler")
    parser.add_argument("--language-steps", type=int, default=4000, help="of questions and answers")
    parser.add_argument("--review-steps", type=int, default=1000, help="of the same, counting above all")
    parser.add_argument("--rate", type=float, default=1.5e-3, help="the language model's highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="multiply in BF16 where the CPU has it")
    parser.add_argument("--report", type=int, default=30, help="steps between two lines of progress")
    parser.add_argument("--save", type=int, default=200, help="steps between two checkpoints")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        train(arguments, load_code(arguments.hf_code))
    except (InputError, OSError) as error:
        print(f"train_demo.py: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
