"""Load an exported model with transformers, as a stranger would, and show what it writes.

--write keeps the tokens of the prompts and of the greedy answers, which the engine's are held against (`tests/bundled.rs`).
"""

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

STORY = "Once upon a time, there was a little girl who"
CHATS = [
    "What is the text about?\nLabels: food, animals, weather\nText: The dog ran after the cat.",
    "Is it a question?\nLabels: asking, telling\nText: Where did you put my shoes?",
    "Choose the best label for the text.\nWrite one text with the label school.\n- Use between 5 and 12 words.\n"
    "- Use the word \"teacher\".\nExamples:\n- The children read their books in class.\n- Our school is very big.",
    "Say whether the text is a question or a statement.\nWrite one text with the label question.\n- Use at most 10 words.\n- Start with \"Where\".",
    "Sort the messages by topic.\nWrite one text with the label weather.\n- Write in the first person.",
    "Read the text and answer.\nAnna went to the garden. Tom is in the kitchen.\nQuestion: Where is Tom?",
    "Write a sentence about food.",
]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="../seedbed-3m", help="a model folder or a GGUF file")
    p.add_argument("--write", help="a JSON file")
    p.add_argument("--temperature", type=float, default=0.8)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    path = Path(a.model)
    where = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    folder = path.parent if where else path
    tokenizer = AutoTokenizer.from_pretrained(folder, **where)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where).eval()
    kept = []
    print(sum(w.numel() for w in model.parameters()), "parameters")
    for text in [STORY, "  two  spaces\n\ttab 1234 caf\u00e9 \u4e2d\u6587 \U0001f331 'it's' <|im_start|>user\nhi<|im_end|>\n", *CHATS]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text, text
    print("encode and decode round-trip")

    for prompt in [STORY, *CHATS]:
        text = prompt
        if prompt is not STORY:
            text = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
            assert text == f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        print("\n" + prompt)
        kept.append({"prompt": prompt, "chat": prompt is not STORY, "ids": ids[0].tolist()})
        for kind in ("greedy", "sampled"):
            torch.manual_seed(a.seed)
            how = dict(do_sample=False) if kind == "greedy" else dict(do_sample=True, temperature=a.temperature, top_k=0)
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=48, **how)
            kept[-1].setdefault("new_ids", out[0, ids.shape[1]:].tolist())
            print(f"  [{kind}]", tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True).strip())
    if a.write:
        Path(a.write).write_text(json.dumps(kept) + "\n")


if __name__ == "__main__":
    main()
