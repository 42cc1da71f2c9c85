#!/usr/bin/env python3
"""Writes the corpus that the fuzzers begin with: the smallest files that reach every part of each reader.

  python corpus.py     # needs numpy and gguf; writes into corpus/
"""
import json, os, struct, tempfile
import gguf, numpy as np

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
rng = np.random.default_rng(5)


def write(reader, name, data):
    os.makedirs(f"{HERE}/{reader}", exist_ok=True)
    with open(f"{HERE}/{reader}/{name}", "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def safetensors(tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = dict(dtype=dtype, shape=shape, data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


f32 = lambda *shape: ("F32", list(shape), rng.standard_normal(shape).astype("<f4").tobytes())
f16 = lambda *shape: ("F16", list(shape), rng.standard_normal(shape).astype("<f2").tobytes())
write("safetensors", "types.safetensors", safetensors(
    {"a": f32(2, 3), "b": f16(4), "c": ("BF16", [2, 2], b"\x80?\0@@@\x80@"), "ids": ("I64", [2], bytes(16)), "none": ("F32", [0, 5], b""), "flag": ("BOOL", [], b"\1")},
    {"format": "pt"}))
write("safetensors", "projection.safetensors", safetensors({"model.layers.0.self_attn.q_proj.weight": f32(4, 2), "model.norm.weight": f16(2)}))
write("safetensors", "index.json", json.dumps(dict(metadata=dict(total_size=8), weight_map={"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"})))

LORA = dict(peft_type="LORA", task_type="CAUSAL_LM", base_model_name_or_path="a/b", r=2, lora_alpha=4, lora_dropout=0.0, target_modules=["q_proj"], bias="none",
            fan_in_fan_out=False, inference_mode=True, use_rslora=False, use_dora=False)
at = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
write("adapter", "lora", json.dumps(LORA).encode() + b"\n\n" + safetensors({at + "A.weight": f32(2, 2), at + "B.weight": f32(4, 2)}, {"format": "pt"}))
write("adapter", "half", json.dumps(LORA | dict(r=1)).encode() + b"\n\n" + safetensors({at + "B.weight": f16(4, 1), at + "A.weight": f16(1, 2)}))

# Tokenizers: one for each family's way of cutting text.
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTES = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)
SPLIT_BYTES = BYTES | dict(use_regex=True)
split = lambda pattern: dict(type="Split", pattern=dict(Regex=pattern), behavior="Isolated", invert=False)
sequence = lambda key, *parts: dict(type="Sequence", **{key: list(parts)})
PIECES = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"helowrdusiatnb", "Ġ", "Ċ", "he", "ll", "hell", "hello", "Ġw", "or", "Ġwor", "us", "as"]
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "u s", "a s"]


def added(*texts):
    return [dict(id=i, content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True) for i, t in enumerate(texts)]


def tokenizer(pieces, merges, special, normalizer, splitter, decoder, post=None, **model):
    return json.dumps(dict(version="1.0", truncation=None, padding=None, added_tokens=added(*special), normalizer=normalizer, pre_tokenizer=splitter, post_processor=post,
                           decoder=decoder, model=dict(dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                                                            byte_fallback=False, ignore_merges=False, vocab={p: i for i, p in enumerate(pieces)}, merges=merges), **model)), ensure_ascii=False)


SPECIAL = PIECES[:3]
template = dict(type="TemplateProcessing", single=[dict(SpecialToken=dict(id="<|endoftext|>", type_id=0)), dict(Sequence=dict(id="A", type_id=0))],
                pair=[dict(Sequence=dict(id="A", type_id=0)), dict(Sequence=dict(id="B", type_id=1))], special_tokens={"<|endoftext|>": dict(id="<|endoftext|>", ids=[0], tokens=["<|endoftext|>"])})
write("tokenizer", "smollm.json", tokenizer(PIECES, MERGES, SPECIAL, None, sequence("pretokenizers", dict(type="Digits", individual_digits=True), SPLIT_BYTES), SPLIT_BYTES))
write("tokenizer", "qwen.json", tokenizer(PIECES, [m.split() for m in MERGES], SPECIAL, dict(type="NFC"), sequence("pretokenizers", split(LLAMA3.replace("{1,3}", "")), BYTES), BYTES))
write("tokenizer", "llama3.json", tokenizer(PIECES, MERGES, SPECIAL, None, sequence("pretokenizers", split(LLAMA3), BYTES), BYTES, sequence("processors", BYTES, template), ignore_merges=True))
SPM = ["<pad>", "<eos>", "<bos>", "<unk>", *[f"<0x{i:02X}>" for i in range(0, 256, 5)], *"helowrd", "▁", "he", "ll", "hell", "hello", "▁▁"]
SPM_MERGES = [["h", "e"], ["l", "l"], ["he", "ll"], ["hell", "o"], ["▁", "▁"]]
space = dict(type="Replace", pattern=dict(String=" "), content="▁")
back = dict(type="Replace", pattern=dict(String="▁"), content=" ")
write("tokenizer", "gemma.json", tokenizer(SPM, SPM_MERGES, SPM[:3], space, dict(type="Split", pattern=dict(String=" "), behavior="MergedWithPrevious", invert=False),
                                           sequence("decoders", back, dict(type="ByteFallback"), dict(type="Fuse")), template, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
write("tokenizer", "llama2.json", tokenizer(SPM, SPM_MERGES, SPM[:3], sequence("normalizers", dict(type="Prepend", prepend="▁"), space), None,
                                            sequence("decoders", back, dict(type="ByteFallback"), dict(type="Fuse"), dict(type="Strip", content=" ", start=1, stop=0)),
                                            unk_token="<unk>", fuse_unk=True, byte_fallback=True))
write("tokenizer", "metaspace.json", tokenizer(SPM, SPM_MERGES, SPM[:3], sequence("normalizers", dict(type="NFKC"), dict(type="Lowercase"), dict(type="Strip", strip_left=True, strip_right=True), dict(type="StripAccents")),
                                               sequence("pretokenizers", dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True), dict(type="Punctuation", behavior="Isolated"), dict(type="WhitespaceSplit")),
                                               dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True), unk_token="<unk>"))

# Chat templates.
CHAT_ML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
OTHER = ("{%- set ns = namespace(n=0) -%}{%- macro say(m, x='y') -%}{{ m.content | trim | tojson }}{{ x }}{%- endmacro -%}{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
         "{% set ns.n = ns.n + 1 %}{{ loop.index }}<|im_start|>{% generation %}{{ say(m) }}{{ m['content'].strip().split(' ')[0].upper() }}{% endgeneration %}<|im_end|>{% endfor %}{{ ns.n }}{{ bos_token }}"
         "{% if tools is defined and tools %}{{ raise_exception('no tools') }}{% endif %}{{ strftime_now('%d %b %Y') | length }}{{ messages[1:] | map(attribute='role') | join(', ') }}{{ range(3) | list }}")
write("chat", "chatml.json", json.dumps(dict(bos_token="<|endoftext|>", eos_token=dict(content="<|im_end|>"), chat_template=CHAT_ML)))
write("chat", "other.json", json.dumps(dict(bos_token=None, eos_token="<|im_end|>", chat_template=OTHER)))
write("chat", "named.json", json.dumps(dict(chat_template=[dict(name="tool_use", template="{% broken"), dict(name="default", template=OTHER[:200] + "{% endfor %}")])))
# Operators, filters and methods that can make much of little.
MUCH = ("{% set n = namespace(x='ab', l=[1, 'a']) %}{% for i in range(9) %}{% set n.x = n.x ~ n.x + 'c' * 3 %}{% set n.l = [n.l, n.l] + n.l * 2 %}{% endfor %}"
        "{{ n.x.replace('a', n.x) | length }}{{ n.l | string | upper | length }}{{ n.l | tojson(indent=2) | length }}{{ 'x'.join(n.x.split('b')) | reverse | last }}{{ n.l | join(n.x) | length }}")
write("chat", "much.json", json.dumps(dict(eos_token="<|im_end|>", chat_template=MUCH)))

# Configurations.
SHAPE = dict(vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, rms_norm_eps=1e-5, eos_token_id=[1, 2])
config = lambda name, **more: write("config", f"{name}.json", json.dumps(SHAPE | more))
config("llama", architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", rope_theta=1e5, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32))
config("qwen2", architectures=["Qwen2ForCausalLM"], use_sliding_window=True, sliding_window=8, max_window_layers=1, rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=16, beta_fast=32, mscale=1.0, mscale_all_dim=0.5))
config("qwen3", architectures=["Qwen3ForCausalLM"], head_dim=16, attention_bias=False, layer_types=["full_attention", "full_attention"], eos_token_id=3)
config("gemma3", architectures=["Gemma3ForCausalLM"], head_dim=16, hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=16, sliding_window=4, sliding_window_pattern=2, rope_local_base_freq=1e4,
       rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e6), sliding_attention=dict(rope_type="default", rope_theta=1e4)))
write("config", "generation.json", json.dumps(dict(bos_token_id=1, eos_token_id=[1, 106], do_sample=True)))
write("config", "listing.json", json.dumps(dict(sha="0abc", siblings=[dict(rfilename=n, size=5) for n in ["config.json", "tokenizer.json", "model.safetensors.index.json", "model-00001-of-00001.safetensors", "x.gguf"]]
                                              + [dict(rfilename="y.gguf", lfs=dict(sha256="ab", size=9))])))

# GGUF files, and the same as whole models.
T = gguf.GGMLQuantizationType


def model(name, arch, kind, pieces=PIECES, merges=MERGES, pre="smollm", only_gguf=False, **more):
    path = os.path.join(tempfile.mkdtemp(), "model.gguf")
    w = gguf.GGUFWriter(path, arch)
    hidden, inner, heads, kv, vocab = 32, 32, 2, 1, len(pieces)
    w.add_block_count(1); w.add_context_length(64); w.add_embedding_length(hidden); w.add_feed_forward_length(inner); w.add_head_count(heads); w.add_head_count_kv(kv)
    w.add_layer_norm_rms_eps(1e-5); w.add_rope_freq_base(1e4); w.add_key_length(16); w.add_value_length(16)
    for key, value in more.items():
        {float: w.add_float32, int: w.add_uint32, str: w.add_string, list: w.add_array}[type(value)](f"{arch}.{key.replace('__', '.')}", value)
    if pre:
        w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre(pre); w.add_token_merges(merges); w.add_token_types([3] * 3 + [1] * (vocab - 3)); w.add_bos_token_id(0); w.add_eos_token_id(2)
        w.add_chat_template(CHAT_ML if pre == "smollm" else OTHER)
    else:
        w.add_tokenizer_model("llama"); w.add_token_scores([float(-i) for i in range(vocab)]); w.add_token_types([3] * 3 + [2] + [6 if p.startswith("<0x") else 1 for p in pieces[4:]])
        w.add_bos_token_id(2); w.add_eos_token_id(1); w.add_add_bos_token(True); w.add_add_space_prefix(arch == "llama")
    w.add_token_list(pieces)

    def add(tensor, *shape, kind=kind):
        values = (rng.standard_normal(shape) * 0.1).astype(np.float32)
        if kind in (T.F32, T.F16) or len(shape) == 1:
            w.add_tensor(tensor, values.astype(np.float16 if kind == T.F16 and len(shape) > 1 else np.float32))
        else:
            w.add_tensor(tensor, gguf.quants.quantize(values, kind), raw_dtype=kind)
    add("token_embd.weight", vocab, hidden); add("output_norm.weight", hidden)
    b = "blk.0."
    add(b + "attn_norm.weight", hidden); add(b + "ffn_norm.weight", hidden)
    for part, rows in [("q", 32), ("k", 16), ("v", 16)]:
        add(f"{b}attn_{part}.weight", rows, hidden)
        if arch == "qwen2":
            add(f"{b}attn_{part}.bias", rows)
    add(b + "attn_output.weight", hidden, 32); add(b + "ffn_gate.weight", inner, hidden); add(b + "ffn_up.weight", inner, hidden); add(b + "ffn_down.weight", hidden, inner)
    if arch in ("qwen3", "gemma3"):
        add(b + "attn_q_norm.weight", 16); add(b + "attn_k_norm.weight", 16)
    if arch == "gemma3":
        add(b + "post_attention_norm.weight", hidden); add(b + "post_ffw_norm.weight", hidden)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    data = open(path, "rb").read(); os.remove(path)
    write("gguf", f"{name}.gguf", data)
    if not only_gguf:
        write("model", f"{name}.gguf", data)


model("llama-q8_0", "llama", T.Q8_0, rope__scaling__type="linear", rope__scaling__factor=2.0)
model("qwen2-q4_1", "qwen2", T.Q4_1, pre="qwen2", rope__scaling__type="yarn", rope__scaling__factor=4.0, rope__scaling__original_context_length=16)
model("qwen3-f16", "qwen3", T.F16, pre="llama-bpe")
model("gemma3-q5_0", "gemma3", T.Q5_0, pieces=SPM, pre=None, attention__sliding_window=8, attention__sliding_window_pattern=[True])
model("llama-spm-f32", "llama", T.F32, pieces=SPM, pre=None, only_gguf=True)

# Tasks.
TASK = dict(task="mood", type="classification", instruction="Say the mood.", labels=["glad", "sad"], licence="CC0 1.0", source="own")
rows = lambda *pairs: "".join(json.dumps(dict(text=t, label=l), ensure_ascii=False) + "\n" for t, l in pairs)
SEEDS = rows(("what a day", "glad"), ("oh no", "sad"), ("naïve — “so”", "sad"), ("line\nbreak", "glad"))
write("task", "jsonl", "\0".join([json.dumps(TASK), SEEDS, rows(("new day", "glad"), ("lost", "sad"))]))
write("task", "csv", "\0".join([json.dumps({k: v for k, v in TASK.items() if k != "labels"}), "\ufefftext,label\r\n\"a, \"\"b\"\"\",glad\r\nplain,sad\r\nmore,sad\r\n", "text,label\nnew,glad\n"]))
write("task", "lines", "\0".join([json.dumps(TASK, indent=1), "glad\twhat a day\nsad\toh no\n\nsad\tuser: assistant: hm\n", ""]))
