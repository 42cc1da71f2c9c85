"""Cut a start for the larger bundled model out of SmolLM2-135M-Instruct: fewer layers, a smaller vocabulary.

What is left of a cut model no longer works together, but it need not learn English again: `pretrain.py --start --teacher`
heals it in an hour or two where training from nothing would take days.

    start.pt     the weights that are kept
    teacher.pt   the whole model with the kept pieces only, for pretrain.py to learn from
    tokenizer/   the kept pieces with the merges between them, under new numbers
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

import instruct
from model import Config
from texts import SHARES, TestTexts, load_texts
from train_tokenizer import CONFIG, SPECIAL


def uses(tokenizer, data):
    """How often each piece is used in the texts and instructions that will be trained on, as a share of all."""
    test_texts = TestTexts(Path(data) / "tasks")
    counts = Counter()
    for source, documents in load_texts(data, test_texts).items():
        here = Counter()
        for start in range(0, len(documents), 64):
            for e in tokenizer.encode_batch([d[:20_000] for d in documents[start:start + 64]]):
                here.update(e.tokens)
        for piece, n in here.items():
            counts[piece] += n / here.total() * SHARES[source] / sum(SHARES.values())
    here = Counter()
    for user, answer in instruct.questions(Path(data) / "instruct"):
        here.update(tokenizer.encode(user + "\n" + answer).tokens)
    for piece, n in here.items():
        counts[piece] += n / here.total()
    return counts


def choose(pieces, merges, counts, size):
    """The pieces to keep: the bytes, then the most used ones with all that they are merged from.

    The texts at hand are older and simpler than what users will bring, so a word also counts for its place in the
    original vocabulary, which was learnt from the web (Zipf: use falls as 1 / rank).
    """
    parents = {a + b: (a, b) for a, b in merges}
    kept = set(SPECIAL) | {p for p in pieces if len(p) == 1}
    spaced = lambda p: p.removeprefix("\u0120")
    prior = lambda p: 0.1 / (pieces[p] + 300) if spaced(p).isascii() and spaced(p).isalpha() and spaced(p)[1:].islower() else 0

    def family(piece):
        if piece in kept:
            return set()
        a, b = parents[piece]
        return family(a) | family(b) | {piece}

    for piece in sorted(parents, key=lambda p: -(counts[p] + prior(p))):
        new = family(piece)
        if len(kept) + len(new) <= size:
            kept |= new
        if len(kept) == size:
            break
    return SPECIAL + sorted(kept - set(SPECIAL), key=pieces.get)


def write_tokenizer(whole, kept, merges, out):
    numbers = {piece: i for i, piece in enumerate(kept)}
    merges = [[a, b] for a, b in merges if a in numbers and b in numbers and a + b in numbers]
    added = [{**t, "id": numbers[t["content"]]} for t in whole["added_tokens"] if t["content"] in numbers]
    content = {**whole, "model": {**whole["model"], "vocab": numbers, "merges": merges}, "added_tokens": added}
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "tokenizer_config.json").write_text(json.dumps({**CONFIG, "model_max_length": 2048}, indent=1) + "\n")
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    text = "Once upon a time, 3 goats -- \u00fcber <b> \u4e2d\u6587 'quoted'\n\n\tthe end. "
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", required=True, help="SmolLM2-135M-Instruct: a GGUF file, or a folder in transformers' layout")
    p.add_argument("--data", default="../shared/data", help="folder with pretrain/, instruct/ and tasks/")
    p.add_argument("--out", default="build/cut")
    p.add_argument("--pieces", type=int, default=12_288)
    p.add_argument("--layers", default="0,1,2,3,28,29", help="those to keep, counted from 0")
    a = p.parse_args()

    path = Path(a.model)
    where = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    folder = path.parent if where else path
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where)
    whole = json.loads(AutoTokenizer.from_pretrained(folder, **where).backend_tokenizer.to_str())
    pieces = whole["model"]["vocab"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in whole["model"]["merges"]]

    out = Path(a.out)
    kept = choose(pieces, merges, uses(Tokenizer.from_str(json.dumps(whole)), a.data), a.pieces)
    write_tokenizer(whole, kept, merges, out / "tokenizer")

    c, weights = model.config, model.state_dict()
    weights.pop("lm_head.weight", None)  # tied
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][[pieces[piece] for piece in kept]]
    layers = [int(l) for l in a.layers.split(",")]
    config = lambda n: asdict(Config(
        vocab_size=len(kept), hidden_size=c.hidden_size, intermediate_size=c.intermediate_size, num_hidden_layers=n,
        num_attention_heads=c.num_attention_heads, num_key_value_heads=c.num_key_value_heads, head_dim=c.head_dim,
        max_position_embeddings=2048, rope_theta=c.rope_parameters["rope_theta"], rms_norm_eps=1e-5))
    part = lambda name: f"model.layers.{layers.index(int(name.split('.')[2]))}." + name.split(".", 3)[3]
    start = {part(n) if ".layers." in n else n: w for n, w in weights.items()
             if ".layers." not in n or int(n.split(".")[2]) in layers}
    torch.save({"model": start, "config": config(len(layers)), "layers": layers}, out / "start.pt")
    torch.save({"model": {n: w.bfloat16() for n, w in weights.items()}, "config": config(c.num_hidden_layers)}, out / "teacher.pt")
    print(sum(w.numel() for w in start.values()), "parameters in the start,", len(kept), "pieces")


if __name__ == "__main__":
    main()
