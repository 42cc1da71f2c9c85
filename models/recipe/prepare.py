"""Turn the data into token files for pretrain.py.

    plain-{source}.bin   one stream of uint16 tokens per source, documents ended by <|endoftext|>
    chat.npz             windows of 257 tokens filled with whole instruction examples, and the role of each token
    valid.npz            the held-out slices of both
"""

import argparse
import random
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import instruct
from texts import TestTexts, load_texts

WINDOW = 257  # 256 inputs and the targets shifted by one
END, TURN, TURN_END = 0, 1, 2
# The role of a token says how much its loss counts; pretrain.py maps it to a weight.
PADDING, PROMPT, ANSWER, LABEL = range(4)


def split(document, size=6000):
    """Long documents in pieces, cut between paragraphs, so that the held-out slice is spread over every book."""
    piece = []
    for paragraph in document.split("\n\n"):
        piece.append(paragraph)
        if sum(map(len, piece)) > size:
            yield "\n\n".join(piece)
            piece = []
    if piece:
        yield "\n\n".join(piece)


def held_out(i):
    return i % 100 == 37


def encode_plain(tokenizer, documents):
    """(training tokens, held-out tokens, training pieces); instruction examples are made from the training pieces."""
    train, valid, pieces = [], [], []
    for document in documents:
        parts = list(split(document))
        for i, e in enumerate(tokenizer.encode_batch(parts)):
            tokens = np.array(e.ids + ([END] if i == len(parts) - 1 else []), dtype=np.uint16)
            if held_out(len(train) + len(valid)):
                valid.append(tokens)
            else:
                train.append(tokens)
                pieces.append(parts[i])
    return np.concatenate(train), np.concatenate(valid), pieces


def encode_chats(tokenizer, chats, limit=WINDOW):
    """[(tokens, roles)]; every example is one user turn and one assistant turn, exactly as the engine renders it."""
    turn = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    prompts = tokenizer.encode_batch([turn.format(c["user"]) for c in chats])
    answers = tokenizer.encode_batch([c["assistant"] + "<|im_end|>\n" for c in chats])
    out = []
    for chat, p, a in zip(chats, prompts, answers):
        if len(p.ids) + len(a.ids) <= limit:
            role = LABEL if chat["kind"] == "classify" else ANSWER
            # the newline after <|im_end|> is part of the format but nothing to learn: generation has stopped by then
            roles = [PROMPT] * len(p.ids) + [role] * (len(a.ids) - 1) + [PADDING]
            out.append((p.ids + a.ids, roles))
    return out


def pack(examples, rng):
    """Windows filled first-fit with whole examples; each begins at the start of a chat, as at run time."""
    rng.shuffle(examples)
    tokens, roles, open_windows = [], [], []
    for t, r in examples:
        for w in open_windows:
            if len(tokens[w]) + len(t) <= WINDOW:
                break
        else:
            w = len(tokens)
            tokens.append([])
            roles.append([])
            open_windows = open_windows[-15:] + [w]
        tokens[w] += t
        roles[w] += r
    pad = lambda rows, value: np.array([r + [value] * (WINDOW - len(r)) for r in rows], dtype=np.uint16)
    return pad(tokens, END), pad(roles, PADDING).astype(np.uint8)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", default="../shared/data", help="folder with pretrain/, instruct/ and tasks/")
    p.add_argument("--tokenizer", default="build/tokenizer", help="or ../seedbed-3m, to keep the published pieces")
    p.add_argument("--out", default="build/tokens")
    p.add_argument("--examples", type=int, default=36_000, help="instruction examples to synthesise")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    tokenizer = Tokenizer.from_file(f"{a.tokenizer}/tokenizer.json")
    test_texts = TestTexts(Path(a.data) / "tasks")
    sources = load_texts(a.data, test_texts)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)

    valid, pieces = [], {}
    for source, documents in sources.items():
        train, rest, pieces[source] = encode_plain(tokenizer, documents)
        train.tofile(out / f"plain-{source}.bin")
        valid.append(rest)
        print(f"{source}: {len(train) / 1e6:.2f} M tokens, {len(rest)} held out", flush=True)

    rng = random.Random(a.seed)
    chats = instruct.build(Path(a.data) / "instruct", pieces, test_texts, a.examples, rng)
    # examples with the same answer text stay on one side of the split
    is_valid = lambda c: held_out(sum(map(ord, c["assistant"] + c["user"][-40:])))
    chat_tokens, chat_roles = pack(encode_chats(tokenizer, [c for c in chats if not is_valid(c)]), rng)
    valid_tokens, valid_roles = pack(encode_chats(tokenizer, [c for c in chats if is_valid(c)]), rng)
    np.savez(out / "chat.npz", tokens=chat_tokens, roles=chat_roles)
    plain = np.concatenate([v[:len(v) // WINDOW * WINDOW].reshape(-1, WINDOW)[:24] for v in valid])
    np.savez(out / "valid.npz", plain=plain, tokens=valid_tokens[:192], roles=valid_roles[:192])
    print(f"{len(chats)} instruction examples in {len(chat_tokens)} windows; "
          f"held out: {len(plain)} plain and {len(valid_tokens)} instruction windows")


if __name__ == "__main__":
    main()
