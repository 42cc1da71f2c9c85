#!/usr/bin/env python3
"""Turns a model in the hub's layout into the files that transformers.js (ONNX) and wllama (GGUF) read.

    python benches/peers/convert.py MODEL-FOLDER... --out FOLDER [--onnx fp32,q4,int8] [--gguf f32,f16,q8_0,q4_0]

Writes FOLDER/<model>/config.json, onnx/*.onnx and gguf/*.gguf; a file that is there is not made again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ONNX_FILES = {"fp32": "model.onnx", "q4": "model_q4.onnx", "int8": "model_int8.onnx"}

# Of ONNX Runtime GenAI's model builder: precision, execution provider, options. The head scores the last position only.
BUILDER = {
    "fp32": ("fp32", "cpu", ["prune_lm_head=true"]),
    # One embedding for both ends would be a 4-bit gather, for which the wasm build has no kernel.
    "q4": (
        "int4",
        "webgpu",
        ["prune_lm_head=true", "use_webgpu_fp32=true", "int4_block_size=32", "int4_accuracy_level=4", "shared_embeddings=false"],
    ),
}


def build_onnx(model: Path, dtype: str):
    """The graph of one precision, with the head size of the key-value cache written out."""
    import onnx

    precision, provider, options = BUILDER[dtype]
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", str(model), "-o", place]
        command += ["-p", precision, "-e", provider, "-c", f"{place}/cache", "--extra_options", *options]
        done = subprocess.run(command, capture_output=True, text=True, env=offline())
        if done.returncode != 0:
            sys.exit(f"the builder of onnxruntime-genai failed for {model} {dtype}:\n{done.stderr[-1500:]}")
        graph = onnx.load(f"{place}/model.onnx")
    # The builder gives this dimension a name only; transformers.js takes a name for zero.
    config = json.loads((model / "config.json").read_text())
    size = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    for value in [*graph.graph.input, *graph.graph.output]:
        if value.name.startswith(("past_key_values.", "present.")):
            last = value.type.tensor_type.shape.dim[3]
            last.ClearField("dim_param")
            last.dim_value = size
    return graph


def to_onnx(model: Path, folder: Path, dtypes: list[str]) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    for dtype in dtypes:
        file = folder / ONNX_FILES[dtype]
        if file.exists():
            continue
        if dtype == "int8":
            # What transformers.js calls int8: the f32 graph with its weights quantised as they are.
            whole = folder / ONNX_FILES["fp32"]
            if not whole.exists():
                to_onnx(model, folder, ["fp32"])
            options = {"MatMulConstBOnly": True}
            quantize_dynamic(
                whole, file, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"], per_channel=True, extra_options=options
            )
        else:
            onnx.save(build_onnx(model, dtype), str(file))
        print(file)


def interleaved(matrix, heads: int):
    """Rows of a query or key projection in llama.cpp's order: the two of a rotary pair next to each other."""
    rows, columns = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


GGUF_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
}


def gguf_name(name: str) -> str:
    if name.startswith("model.layers."):
        _, _, layer, rest = name.split(".", 3)
        return f"blk.{layer}.{GGUF_NAMES[rest]}"
    return GGUF_NAMES[name]


def byte_alphabet() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}


def vocabulary(tokenizer: dict, size: int) -> tuple[list[str], list[int]]:
    """Every entry's text and which are markers.

    A model with random weights writes pieces of characters, on which wllama's JSON breaks, and its vocabulary may be
    larger than its tokenizer: both get plain names. Speed does not depend on names.
    """
    import gguf

    texts = [f"[unused{place}]" for place in range(size)]
    kinds = [int(gguf.TokenType.NORMAL)] * size
    alphabet = byte_alphabet()
    for text, place in tokenizer["model"]["vocab"].items():
        try:
            bytes(alphabet[letter] for letter in text).decode()
            texts[place] = text
        except (KeyError, UnicodeDecodeError):
            texts[place] = f"[piece{place}]"
    for marker in tokenizer["added_tokens"]:
        texts[marker["id"]] = marker["content"]
        kinds[marker["id"]] = int(gguf.TokenType.CONTROL)
    return texts, kinds


def to_gguf(model: Path, folder: Path, kinds: list[str]) -> None:
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((model / "config.json").read_text())
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    weights = load_file(model / "model.safetensors")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    types = {
        "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
        "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
        "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
        "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
    }
    texts, markers = vocabulary(tokenizer, config["vocab_size"])
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in tokenizer["model"]["merges"]]
    # Merges make or read a renamed piece no more.
    known = set(texts)
    merges = [merge for merge in merges if {*merge.split(" "), merge.replace(" ", "")} <= known]
    for kind in kinds:
        file = folder / f"model-{kind}.gguf"
        if file.exists():
            continue
        quantisation, file_type = types[kind]
        writer = gguf.GGUFWriter(file, "llama")
        writer.add_name(model.name)
        writer.add_file_type(file_type)
        writer.add_quantization_version(2)
        writer.add_context_length(config["max_position_embeddings"])
        writer.add_embedding_length(config["hidden_size"])
        writer.add_feed_forward_length(config["intermediate_size"])
        writer.add_block_count(config["num_hidden_layers"])
        writer.add_head_count(heads)
        writer.add_head_count_kv(kv_heads)
        writer.add_rope_dimension_count(config["head_dim"])
        writer.add_rope_freq_base(config["rope_theta"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        writer.add_vocab_size(config["vocab_size"])
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(texts)
        writer.add_token_types(markers)
        writer.add_token_merges(merges)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_bos_token(False)
        for name, tensor in weights.items():
            tensor = tensor.astype(np.float32)
            if name.endswith(("q_proj.weight", "k_proj.weight")):
                tensor = interleaved(tensor, heads if "q_proj" in name else kv_heads)
            to = gguf_name(name)
            use = gguf.GGMLQuantizationType.F32 if tensor.ndim == 1 else quantisation
            # As llama-quantize does: the matrix that makes the scores is kept one class better than 4 bits.
            makes_scores = to == "output.weight" or (to == "token_embd.weight" and "lm_head.weight" not in weights)
            if use == gguf.GGMLQuantizationType.Q4_0 and makes_scores:
                use = gguf.GGMLQuantizationType.Q8_0
            # Rows that do not divide into blocks stay in 16 bits, as llama-quantize leaves them.
            if use in (gguf.GGMLQuantizationType.Q4_0, gguf.GGMLQuantizationType.Q8_0) and tensor.shape[-1] % 32 != 0:
                use = gguf.GGMLQuantizationType.F16
            writer.add_tensor(to, gguf.quants.quantize(np.ascontiguousarray(tensor), use), raw_dtype=use)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        print(file)


def offline() -> dict[str, str]:
    import os

    return os.environ | {"HF_HUB_OFFLINE": "1"}


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--onnx", type=names, default="fp32,q4,int8")
    parser.add_argument("--gguf", type=names, default="f32,f16,q8_0,q4_0")
    options = parser.parse_args()
    for model in options.models:
        out = options.out / model.name
        out.mkdir(parents=True, exist_ok=True)
        for file in ["config.json", "generation_config.json"]:
            if (model / file).exists():
                shutil.copy(model / file, out / file)
        if options.gguf:
            to_gguf(model, out / "gguf", options.gguf)
        if options.onnx:
            to_onnx(model, out / "onnx", options.onnx)


if __name__ == "__main__":
    main()
