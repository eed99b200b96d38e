"""Writes a model in Hugging Face layout as a pair of GGUF files with the Python package gguf: the tensors' names, forms
and metadata that the converters of the wider world give a qwen3 language model and the vision side of MiniCPM-V."""

import json
import os

import gguf
import numpy

MODULES = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
           "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
           "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
           "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
           "mlp.down_proj": "ffn_down"}
CONTROL, USER_DEFINED, NORMAL, UNUSED = 3, 4, 1, 5


def read_file(path):
    """{name: float32 array} of the tensors that are floats"""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = numpy.frombuffer(file.read(), dtype=numpy.uint8)
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__" or info["dtype"] not in ("BF16", "F16", "F32"):
            continue
        raw = data[info["data_offsets"][0]:info["data_offsets"][1]]
        if info["dtype"] == "BF16":
            values = (raw.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32)
        else:
            values = raw.view({"F32": numpy.float32, "F16": numpy.float16}[info["dtype"]]).astype(numpy.float32)
        tensors[name] = values.reshape(info["shape"])
    return tensors


def read_tensors(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    if not os.path.exists(index):
        return read_file(os.path.join(folder, "model.safetensors"))
    tensors = {}
    with open(index) as file:
        for shard in sorted(set(json.load(file)["weight_map"].values())):
            tensors.update(read_file(os.path.join(folder, shard)))
    return tensors


def load(folder, name):
    with open(os.path.join(folder, name)) as file:
        return json.load(file)


def language_name(name):
    """llm.model.layers.3.mlp.up_proj.weight to blk.3.ffn_up.weight"""
    module, suffix = name.removeprefix("llm.").removeprefix("model.").rsplit(".", 1)
    if module.startswith("layers."):
        _, layer, module = module.split(".", 2)
        return f"blk.{layer}.{MODULES[module]}.{suffix}"
    return f"{MODULES[module]}.{suffix}"


def vision_name(name):
    if name.startswith("vpm."):
        name = "v." + name.removeprefix("vpm.")
    for old, new in (("encoder.layers", "blk"), ("embeddings.", ""), ("_proj", ""), ("self_attn.", "attn_"),
                     ("layer_norm", "ln"), ("layernorm", "ln"), ("mlp.fc1", "ffn_down"), ("mlp.fc2", "ffn_up"),
                     ("embedding", "embd")):
        name = name.replace(old, new)
    return name


def add_tokenizer(writer, folder, vocab_size):
    config = load(folder, "tokenizer_config.json")
    tokens = {id: token for token, id in load(folder, "vocab.json").items()}
    kinds = dict.fromkeys(tokens, NORMAL)
    for id, token in config["added_tokens_decoder"].items():
        looks_special = token["content"].startswith("<|") and token["content"].endswith("|>")
        tokens[int(id)] = token["content"]
        kinds[int(id)] = CONTROL if token["special"] or looks_special else USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([tokens.get(id, f"[PAD{id}]") for id in range(vocab_size)])
    writer.add_token_types([kinds.get(id, UNUSED) for id in range(vocab_size)])
    with open(os.path.join(folder, "merges.txt")) as file:
        writer.add_token_merges([line.rstrip("\n") for line in file if line.strip() and not line.startswith("#version")])
    ids = {token: id for id, token in tokens.items()}
    for role in ("bos", "eos", "unk", "pad"):
        if config.get(role + "_token"):
            getattr(writer, f"add_{role}_token_id")(ids[config[role + "_token"]])
    if config.get("chat_template"):
        writer.add_chat_template(config["chat_template"])


def write_language(folder, path, tensors, convert, split=0):
    config = load(folder, "config.json")
    writer = gguf.GGUFWriter(path, "qwen3", split_max_tensors=split)
    writer.add_name("test")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(float(config["rope_theta"]))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    add_tokenizer(writer, folder, config["vocab_size"])
    for name, values in tensors.items():
        if name.startswith("llm."):
            data, kind = convert(name, values)
            writer.add_tensor(language_name(name), data, raw_dtype=kind)
    finish(writer)


def write_vision(folder, path, tensors, convert):
    config = load(folder, "config.json")
    vision = config["vision_config"]
    processor = load(folder, "preprocessor_config.json")
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_text_encoder", False)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.has_minicpmv_projector", True)
    writer.add_string("clip.projector_type", "resampler")
    writer.add_int32("clip.minicpmv_version", 6)
    writer.add_uint32("clip.vision.image_size", config["image_size"])
    writer.add_uint32("clip.vision.patch_size", vision["patch_size"])
    writer.add_uint32("clip.vision.embedding_length", vision["hidden_size"])
    writer.add_uint32("clip.vision.feed_forward_length", vision["intermediate_size"])
    writer.add_uint32("clip.vision.projection_dim", 0)
    writer.add_uint32("clip.vision.attention.head_count", vision["num_attention_heads"])
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_uint32("clip.vision.block_count",
                      vision["num_hidden_layers"] - bool(config.get("drop_vision_last_layer", True)))
    writer.add_uint32("clip.minicpmv_query_num", config["query_num"])
    writer.add_array("clip.vision.image_mean", [float(x) for x in processor.get("norm_mean", [0.5] * 3)])
    writer.add_array("clip.vision.image_std", [float(x) for x in processor.get("norm_std", [0.5] * 3)])
    writer.add_bool("clip.use_gelu", True)

    def add(name, values):
        data, kind = convert(name, values)
        writer.add_tensor(name, data, raw_dtype=kind)

    for name, values in tensors.items():
        if name == "resampler.proj":
            add("resampler.pos_embed_k", numpy.zeros((4, values.shape[0]), numpy.float32))
            add("resampler.proj.weight", numpy.ascontiguousarray(values.T))
        elif name.startswith("resampler.attn.in_proj_"):
            for letter, part in zip("qkv", numpy.split(values, 3)):
                add(f"resampler.attn.{letter}.{name.rsplit('_', 1)[1]}", part)
        elif not name.startswith("llm."):
            add(vision_name(name), values)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def as_f32(name, values):
    return values, None


def quantized(kind):
    """Matrices whose rows the type divides become that type, the rest stays F32."""
    def convert(name, values):
        if values.ndim != 2 or values.shape[1] % gguf.GGML_QUANT_SIZES[kind][0]:
            return values, None
        return gguf.quants.quantize(values, kind), kind
    return convert


def write_pair(folder, stem, convert_language=as_f32, convert_vision=as_f32, split=0):
    """stem.gguf and stem-mmproj.gguf"""
    tensors = read_tensors(folder)
    write_language(folder, stem + ".gguf", tensors, convert_language, split)
    write_vision(folder, stem + "-mmproj.gguf", tensors, convert_vision)
