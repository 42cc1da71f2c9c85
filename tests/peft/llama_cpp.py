#!/usr/bin/env python3
"""Whether llama.cpp's own converter takes an adapter that was trained here, and what it makes of it.

  python llama_cpp.py LLAMA_CPP MODEL_DIR ADAPTER_DIR

LLAMA_CPP is a folder with llama.cpp's `convert_lora_to_gguf.py` and what lies beside it; the source package of
`llama-cpp-python` on PyPI has one in `vendor/llama.cpp` (`pip download --no-deps --no-binary :all: llama-cpp-python`).
The tensors of the GGUF file must be those of the adapter, in llama.cpp's order of rows. Needs torch, transformers, gguf.
"""
import json, os, subprocess, sys, tempfile
import gguf, numpy as np
from safetensors.numpy import load_file

folder, model, adapter = map(os.path.abspath, sys.argv[1:])
out = os.path.join(tempfile.mkdtemp(), "adapter.gguf")
subprocess.run([sys.executable, os.path.join(folder, "convert_lora_to_gguf.py"), adapter, "--base", model, "--outtype", "f32", "--outfile", out], check=True, cwd=folder)
found = {t.name: t.data.reshape([int(n) for n in reversed(t.shape)]) for t in gguf.GGUFReader(out).tensors}
config = json.load(open(f"{model}/config.json"))
names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
tensors = load_file(f"{adapter}/adapter_model.safetensors")
for name, values in tensors.items():
    layer, module = name.removeprefix("base_model.model.model.layers.").split(".", 1)
    module, factor, _ = module.rsplit(".", 2)
    part = names[module]
    if factor == "lora_B" and part in heads:
        n = heads[part]
        values = values.reshape(n, 2, values.shape[0] // n // 2, -1).swapaxes(1, 2).reshape(values.shape)
    theirs = found.pop(f"blk.{layer}.{part}.weight.{factor.lower()[:4]}_{factor[-1].lower()}")
    assert np.array_equal(theirs, values), name
assert not found, found.keys()
alpha = gguf.GGUFReader(out).fields["adapter.lora.alpha"].contents()
assert alpha == json.load(open(f"{adapter}/adapter_config.json"))["lora_alpha"]
print(json.dumps(dict(tensors=len(tensors), alpha=alpha)))
