"""Write a checkpoint as a model folder: Llama layout, safetensors in f16, tied embedding."""

import argparse
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Config


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--run", default="build/run")
    p.add_argument("--tokenizer", default="build/tokenizer")
    p.add_argument("--out", default="../seedbed-3m")
    a = p.parse_args()

    state = torch.load(Path(a.run) / "checkpoint.pt", weights_only=False)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)

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
    print(sum(w.numel() for w in weights.values()), "parameters,", int(state["shared"]["tokens"]), "tokens seen")


if __name__ == "__main__":
    main()
