"""Train the model: plain text with instruction examples from the start, then mostly instruction examples.

The schedule follows the clock, not a number of steps: the run ends after --minutes on any machine, with the
learning rate at zero. Stop it whenever you like; started again with the same --out it goes on from the checkpoint.

Parallelism suits a small CPU that other work shares: one single-threaded process per core, weights and gradients in
shared memory, and the micro-batches of a step handed out one by one, so that a slow core delays a step by one
micro-batch at most.
"""

import argparse
import json
import os
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp

from model import Config, Llama
from texts import CUT_SHARES, SHARES

# loss weight by role (padding, prompt, answer, label); a label is one or two tokens among fifty, hence its weight
LEARN_ALL = torch.tensor([0.0, 0.5, 1.0, 4.0])
LEARN_ANSWERS = torch.tensor([0.0, 0.0, 1.0, 4.0])
# what a teacher says counts everywhere but on labels: the made-up tasks' answers are known, and it only guesses them
TAUGHT = torch.tensor([0.0, 1.0, 1.0, 0.0])


class Data:
    """Micro-batches, a pure function of (seed, step, index)."""

    def __init__(self, folder, seed, shares):
        folder, self.seed = Path(folder), seed
        self.plain = {s: np.memmap(folder / f"plain-{s}.bin", dtype=np.uint16, mode="r") for s in shares}
        self.names = list(self.plain)
        self.shares = np.array([shares[s] for s in self.names]) / sum(shares.values())
        self.chat = dict(np.load(folder / "chat.npz"))

    def batch(self, step, index, rows, chat_share, role_weights):
        rng = np.random.default_rng([self.seed, step, index])
        tokens, weights, taught = [], [], []
        for _ in range(rows):
            if rng.random() < chat_share:
                i = rng.integers(len(self.chat["tokens"]))
                tokens.append(self.chat["tokens"][i])
                roles = torch.from_numpy(self.chat["roles"][i][1:].astype(np.int64))
                weights.append(role_weights[roles])
                taught.append(TAUGHT[roles])
            else:
                stream = self.plain[self.names[rng.choice(len(self.names), p=self.shares)]]
                start = rng.integers(len(stream) - 257)
                tokens.append(np.asarray(stream[start:start + 257]))
                weights.append(torch.ones(256))
                taught.append(torch.ones(256))
        tokens = torch.from_numpy(np.stack(tokens).astype(np.int64))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), torch.stack(weights), torch.stack(taught)


def orthogonalise(g):
    """Newton-Schulz iteration towards the nearest orthogonal matrix (batched)."""
    x = g.bfloat16()
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in [(3.4445, -4.7750, 2.0315)] * 5:
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x if wide else x.mT).float()


class Optimiser:
    """Muon for the matrices of the layers, AdamW (0.9, 0.95) for the embedding and the norms.

    At a fixed number of tokens Muon reaches a lower loss than AdamW alone. State lives in two flat shared buffers;
    each process updates its own parameters.
    """

    def __init__(self, model, processes):
        self.parameters = list(model.named_parameters())
        size = sum(p.numel() for _, p in self.parameters)
        self.gradients = torch.zeros(processes, size).share_memory_()
        self.first, self.second = torch.zeros(size).share_memory_(), torch.zeros(size).share_memory_()

    def attach(self, rank):
        """Let this process's backward pass accumulate straight into its shared gradient buffer."""
        start = 0
        for _, p in self.parameters:
            p.grad = self.gradients[rank, start:start + p.numel()].view_as(p)
            start += p.numel()

    @torch.no_grad()
    def update(self, rank, processes, step, scale, a):
        norm = self.gradients.sum(0).norm()
        clip = min(1.0, 1.0 / (norm.item() + 1e-6))
        start, spread = 0, 0
        for name, p in self.parameters:
            part, start = slice(start, start + p.numel()), start + p.numel()
            spread += p.numel() > 1000  # deal the matrices out in turn
            if (spread % processes if p.numel() > 1000 else 0) != rank:
                continue
            g = self.gradients[:, part].sum(0).mul_(clip).view_as(p)
            m, v = self.first[part].view_as(p), self.second[part].view_as(p)
            if p.dim() == 2 and "embed" not in name:
                m.lerp_(g, 0.05)
                u = orthogonalise(g.lerp(m, 0.95))
                rate = scale * a.muon_rate
                p.mul_(1 - rate * a.decay).add_(u, alpha=-rate * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)
            else:
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.05)
                u = (m / (1 - 0.9 ** step)) / ((v / (1 - 0.95 ** step)).sqrt() + 1e-8)
                p.add_(u, alpha=-scale * a.rate)


def schedule(progress, a):
    """(learning rate factor, share of chat windows, loss weights) at a point of the run in 0..1."""
    warm = min(1.0, progress / 0.015 + 0.02)
    scale = min(warm, max(0.0, (1 - progress) / a.cooldown))
    last = progress >= 1 - a.last_phase
    return scale, (a.chat_last if last else a.chat), (LEARN_ANSWERS if last else LEARN_ALL)


@torch.no_grad()
def validate(loss, folder, rows):
    data = np.load(Path(folder) / "valid.npz")

    def mean(tokens, weights):
        total = count = 0.0
        for i in range(0, len(tokens) - rows + 1, rows):
            t, w = torch.from_numpy(tokens[i:i + rows].astype(np.int64)), weights[i:i + rows]
            with torch.autocast("cpu", torch.bfloat16):
                total += loss(t[:, :-1].contiguous(), t[:, 1:].contiguous(), w.contiguous()).item() * w.sum().item()
            count += w.sum().item()
        return total / max(count, 1)

    plain = mean(data["plain"], torch.ones(len(data["plain"]), 256))
    roles = torch.from_numpy(data["roles"][:, 1:].astype(np.int64))
    return {"plain": plain, "answers": mean(data["tokens"], (roles == 2).float()),
            "labels": mean(data["tokens"], (roles == 3).float())}


def worker(rank, a, model, teacher, optimiser, shared, barrier, lock):
    torch.set_num_threads(1)
    optimiser.attach(rank)
    data = Data(a.tokens, a.seed, CUT_SHARES if a.start else SHARES)
    taught = partial(model.distil, teacher=teacher, share=a.share, match=a.match)
    loss = taught if teacher else lambda ids, targets, weights, _: model.loss(ids, targets, weights)
    loss = torch.compile(loss) if a.compile else loss
    begun, before, log_at, save_at = time.time(), shared["seconds"].item(), 0.0, 0.0
    out = Path(a.out)

    while True:
        # shared["progress"] was set by rank 0 before the barrier, so all agree on the schedule of this step
        if rank == 0:
            shared["seconds"].fill_(before + time.time() - begun)
            shared["progress"].fill_(shared["seconds"] / (a.minutes * 60))
            shared["next"].zero_()
            shared["loss"].zero_()
        barrier.wait()
        progress, step = shared["progress"].item(), int(shared["step"]) + 1
        if progress >= 1:
            break
        scale, chat_share, weights = schedule(progress, a)
        optimiser.gradients[rank].zero_()
        while True:
            with lock:
                index = int(shared["next"])
                shared["next"] += 1
            if index >= a.micro_batches:
                break
            with torch.autocast("cpu", torch.bfloat16):
                l = loss(*data.batch(step, index, a.rows, chat_share, weights)) / a.micro_batches
            l.backward()
            with lock:
                shared["loss"] += l.item()
        barrier.wait()
        optimiser.update(rank, a.processes, step, scale, a)
        if rank == 0:
            shared["step"] += 1
            shared["tokens"] += a.micro_batches * a.rows * 256
        barrier.wait()
        if rank == 0:
            now = time.time()
            if now - log_at > 20:
                log_at = now
                write_log(out, step=step, progress=round(progress, 4), tokens=int(shared["tokens"]),
                          loss=round(shared["loss"].item(), 4), scale=round(scale, 3))
            if now - save_at > a.save_every:
                save_at = now
                save(out, model, optimiser, shared, a)
    if rank == 0:
        save(out, model, optimiser, shared, a)
        write_log(out, done=True, tokens=int(shared["tokens"]), valid=validate(model.loss, a.tokens, a.rows))


def write_log(out, **entry):
    line = json.dumps(entry)
    print(line, flush=True)
    with open(out / "log.jsonl", "a") as f:
        f.write(line + "\n")


def save(out, model, optimiser, shared, a):
    state = {"model": model.state_dict(), "first": optimiser.first, "second": optimiser.second, "shared": shared,
             "config": asdict(model.config), "layers": model.layers, "arguments": vars(a)}
    torch.save(state, out / "checkpoint.tmp")
    os.replace(out / "checkpoint.tmp", out / "checkpoint.pt")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--tokens", default="build/tokens")
    p.add_argument("--out", default="build/run")
    p.add_argument("--start", help="weights to begin with: start.pt of cut.py")
    p.add_argument("--teacher", help="a model to learn from: teacher.pt of cut.py")
    p.add_argument("--share", type=float, default=0.6, help="of the loss, that is the divergence from the teacher")
    p.add_argument("--match", type=float, default=0.0, help="weight of the distance from the teacher's hidden states")
    p.add_argument("--minutes", type=float, default=80)
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--rows", type=int, default=4, help="sequences of 256 tokens per micro-batch")
    p.add_argument("--micro-batches", type=int, default=2, help="per step, over all processes")
    p.add_argument("--rate", type=float, default=3e-3, help="AdamW")
    p.add_argument("--muon-rate", type=float, default=0.015)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--cooldown", type=float, default=0.6, help="last part of the run, with the rate falling to zero")
    p.add_argument("--last-phase", type=float, default=0.2, help="last part of the run, with mostly instructions")
    p.add_argument("--chat", type=float, default=0.4, help="share of instruction windows")
    p.add_argument("--chat-last", type=float, default=0.85, help="the same in the last phase")
    p.add_argument("--save-every", type=float, default=60, help="seconds")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--compile", action=argparse.BooleanOptionalAction, default=False,
                   help="about a tenth faster, but costs a minute or two at each start")
    a = p.parse_args()

    torch.manual_seed(a.seed)
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    model = Llama(Config())
    if a.start:
        start = torch.load(a.start)
        model = Llama(Config(**start["config"]), start["layers"])
        model.load_state_dict(start["model"])
    teacher = None
    if a.teacher:
        whole = torch.load(a.teacher)
        teacher = Llama(Config(**whole["config"])).bfloat16().requires_grad_(False)
        teacher.load_state_dict(whole["model"])
        teacher.share_memory()
    optimiser = Optimiser(model, a.processes)
    shared = {k: torch.zeros((), dtype=torch.float64) for k in ("seconds", "progress", "next", "step", "tokens", "loss")}
    if (out / "checkpoint.pt").exists():
        state = torch.load(out / "checkpoint.pt", weights_only=False)
        model.load_state_dict(state["model"])
        optimiser.first.copy_(state["first"])
        optimiser.second.copy_(state["second"])
        shared = state["shared"]
    model.share_memory()
    shared = {k: v.share_memory_() for k, v in shared.items()}
    context = mp.get_context("spawn")
    barrier, lock = context.Barrier(a.processes), context.Lock()
    mp.spawn(worker, (a, model, teacher, optimiser, shared, barrier, lock), nprocs=a.processes)


if __name__ == "__main__":
    main()
