"""Train the byte-level BPE tokenizer on a sample of the mix."""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from texts import SHARES, TestTexts, load_texts

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    # A document ends with <|endoftext|>, a turn with <|im_end|>; a chat stops at <|im_end|>. Nothing is prepended.
    "bos_token": "<|endoftext|>",
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "clean_up_tokenization_spaces": False,
    "model_max_length": 512,
    "add_bos_token": False,
    "chat_template": CHAT_TEMPLATE,
}


def sample(sources, characters, rng):
    """About `characters` of text, split over the sources as in training."""
    total = sum(SHARES.values())
    for source, documents in sources.items():
        budget = characters * SHARES[source] / total
        pieces = [d[i:i + 4000] for d in documents for i in range(0, len(d), 4000)]
        rng.shuffle(pieces)
        for piece in pieces:
            if budget <= 0:
                break
            budget -= len(piece)
            yield piece


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", default="../shared/data", help="folder with pretrain/, instruct/ and tasks/")
    p.add_argument("--out", default="build/tokenizer")
    p.add_argument("--vocab", type=int, default=4096)
    p.add_argument("--characters", type=float, default=25e6)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    sources = load_texts(a.data, TestTexts(Path(a.data) / "tasks"))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=a.vocab, special_tokens=SPECIAL, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(sample(sources, a.characters, random.Random(a.seed)), trainer)

    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    text = "Once upon a time, 3 goats -- \u00fcber <b> \u4e2d\u6587 'quoted'\n\n\tthe end. "
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
    print(tokenizer.get_vocab_size(), "pieces")


if __name__ == "__main__":
    main()
