"""Write a checkpoint as a model folder (Llama layout, safetensors in f16, tied embedding) or, with --gguf, as one GGUF file.

The small model is small enough as it is; the larger one keeps its matrices in blocks of 4 bits.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

from model import Config


# GGUF's names of what stands in a layer, and the heads of what is turned (below)
IN_GGUF = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    if name.startswith("model.layers."):
        _, _, layer, part = name.split(".", 3)
        return f"blk.{layer}.{IN_GGUF[part.removesuffix('.weight')]}.weight"
    return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]


def turned(name, weight, c):
    """GGUF's Llama rotates neighbours where transformers' rotates halves: the rows of q and k change places."""
    heads = {"q_proj": c.num_attention_heads, "k_proj": c.num_key_value_heads}.get(name.split(".")[-2])
    if heads is None:
        return weight
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def block_type(name, weight, layers, embedding):
    """Norms stay as they are."""
    if weight.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    return gguf.GGMLQuantizationType[embedding if "embed_tokens" in name else layers]


def write_gguf(path, name, weights, c, tokenizer, layers, embedding):
    content = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((tokenizer / "tokenizer_config.json").read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    special = {t["content"] for t in content["added_tokens"]}
    pieces = sorted(vocabulary, key=vocabulary.get)
    assert [vocabulary[piece] for piece in pieces] == list(range(c.vocab_size))

    w = gguf.GGUFWriter(path, "llama")
    w.add_name(name)
    w.add_license("apache-2.0")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_rope_dimension_count(c.head_dim)
    w.add_rope_freq_base(c.rope_theta)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_vocab_size(c.vocab_size)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(pieces)
    w.add_token_types([gguf.TokenType.CONTROL if piece in special else gguf.TokenType.NORMAL for piece in pieces])
    w.add_token_merges([" ".join(merge) for merge in content["model"]["merges"]])
    w.add_bos_token_id(vocabulary[config["bos_token"]])
    w.add_eos_token_id(vocabulary[config["eos_token"]])
    w.add_pad_token_id(vocabulary[config["pad_token"]])
    w.add_add_bos_token(False)
    w.add_add_space_prefix(False)
    w.add_chat_template(config["chat_template"])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, weight in weights.items():
        kind = block_type(name, weight, layers, embedding)
        values = gguf.quants.quantize(np.ascontiguousarray(turned(name, weight, c)), kind)
        w.add_tensor(gguf_name(name), values, raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--run", default="build/run")
    p.add_argument("--tokenizer", default="build/tokenizer")
    p.add_argument("--out", default="../seedbed-3m")
    p.add_argument("--gguf", action="store_true")
    p.add_argument("--layers", default="Q4_0", help="--gguf: blocks of the layers' matrices")
    p.add_argument("--embedding", default="Q8_0", help="--gguf: blocks of the embedding")
    a = p.parse_args()

    state = torch.load(Path(a.run) / "checkpoint.pt", weights_only=False)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    seen = f"{sum(w.numel() for w in state['model'].values())} parameters, {int(state['shared']['tokens'])} tokens seen"
    if a.gguf:
        weights = {name: w.float().numpy() for name, w in state["model"].items()}
        assert all(np.isfinite(w).all() for w in weights.values())
        path = out / f"{out.name}.gguf"
        write_gguf(path.with_suffix(".tmp"), out.name, weights, Config(**state["config"]), Path(a.tokenizer), a.layers, a.embedding)
        os.replace(path.with_suffix(".tmp"), path)
        print(seen, path.stat().st_size, "bytes")
        return

    def replace(name, write):
        """Under a temporary name first: whoever reads the folder meanwhile sees whole files only."""
        write(out / f".{name}.tmp")
        os.chmod(out / f".{name}.tmp", 0o644)
        os.replace(out / f".{name}.tmp", out / name)

    as_json = lambda content: lambda path: path.write_text(json.dumps(content, indent=1) + "\n")
    # the output head is the embedding itself, so it is not stored twice
    weights = {name: w.to(torch.float16).contiguous() for name, w in state["model"].items()}
    assert all(torch.isfinite(w).all() for w in weights.values())
    replace("model.safetensors", lambda path: save_file(weights, path, metadata={"format": "pt"}))
    replace("config.json", as_json(Config(**state["config"]).as_llama()))
    replace("generation_config.json", as_json({"bos_token_id": 0, "eos_token_id": [2, 0], "pad_token_id": 0}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        replace(name, lambda path: shutil.copyfile(Path(a.tokenizer) / name, path))
    print(seen)


if __name__ == "__main__":
    main()
