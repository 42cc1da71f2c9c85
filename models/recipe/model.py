"""The Llama architecture in plain PyTorch, with the weight names of transformers' LlamaForCausalLM.

Written out rather than imported, because at this size the training step is bound by small operations: this form
compiles to a few fused loops.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    vocab_size: int = 4096
    hidden_size: int = 192
    intermediate_size: int = 512
    num_hidden_layers: int = 6
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    head_dim: int = 32
    max_position_embeddings: int = 512
    rope_theta: float = 10000.0
    rms_norm_eps: float = 1e-5

    def as_llama(self):
        """The content of config.json."""
        return {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", **asdict(self),
            "rope_parameters": {"rope_theta": self.rope_theta, "rope_type": "default"},
            "tie_word_embeddings": True, "hidden_act": "silu", "attention_bias": False, "mlp_bias": False,
            "attention_dropout": 0.0, "initializer_range": 0.02, "pretraining_tp": 1, "use_cache": True,
            "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
            "torch_dtype": "float16", "dtype": "float16",
        }


class RMSNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        x = x.float()
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads, self.dim = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.q_proj = nn.Linear(c.hidden_size, self.heads * self.dim, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, self.kv_heads * self.dim, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, self.kv_heads * self.dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.dim, c.hidden_size, bias=False)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        q = self.q_proj(x).view(b, t, self.heads, self.dim).transpose(1, 2)
        k = self.k_proj(x).view(b, t, self.kv_heads, self.dim).transpose(1, 2)
        v = self.v_proj(x).view(b, t, self.kv_heads, self.dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MLP(c)

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return (x * cos + torch.cat((-b, a), dim=-1) * sin).to(x.dtype)


class Body(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        angle = torch.outer(torch.arange(c.max_position_embeddings).float(),
                            c.rope_theta ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim))
        angle = torch.cat((angle, angle), dim=-1)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids, before=()):
        """The last hidden state, and the hidden state before each of the layers that are named."""
        t = ids.shape[1]
        x, cos, sin = self.embed_tokens(ids).float(), self.cos[:t], self.sin[:t]
        on_the_way = []
        for i, layer in enumerate(self.layers):
            if i in before:
                on_the_way.append(x)
            x = layer(x, cos, sin)
        return self.norm(x), on_the_way


class Llama(nn.Module):
    def __init__(self, config, layers=()):
        """`layers`: of the model that this one is cut from, those which it has."""
        super().__init__()
        self.config, self.layers, self.model = config, layers, Body(config)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                # what writes into the residual stream starts smaller, so that depth does not blow it up
                scale = (2 * config.num_hidden_layers) ** -0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1
                nn.init.normal_(p, std=0.02 * scale)

    def forward(self, ids):
        return F.linear(self.model(ids)[0], self.model.embed_tokens.weight)

    def loss(self, ids, targets, weights):
        """Weighted mean cross entropy. Targets of weight 0 do not count."""
        logits = self(ids).float()
        nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return (nll * weights.flatten()).sum() / weights.sum().clamp(min=1.0)

    def distil(self, ids, targets, weights, taught, teacher, share, match):
        """`loss`, of which `share` is the divergence from the teacher's predictions (where `taught` is 1; none where it is 0),
        and `match` times the distance from the teacher's hidden states before the layers that both have."""
        layers = self.layers
        hidden, mine = self.model(ids, range(len(layers)))
        with torch.no_grad():
            aim, its = teacher.model(ids, layers)
            aim = F.linear(aim, teacher.model.embed_tokens.weight).float().log_softmax(-1)
        logits = F.linear(hidden, self.model.embed_tokens.weight).float().log_softmax(-1).flatten(0, 1)
        nll = F.nll_loss(logits, targets.flatten(), reduction="none")
        divergence = F.kl_div(logits, aim.flatten(0, 1), reduction="none", log_target=True).sum(-1)
        share = share * taught.flatten()
        each = (1 - share) * nll + share * divergence
        if match:
            # relative to the state's own size, which differs from layer to layer
            each = each + match * sum(((m - t.float()).square().sum(-1) / t.float().square().sum(-1)).flatten()
                                      for m, t in zip(mine[1:], its[1:])) / (len(layers) - 1)
        return (each * weights.flatten()).sum() / weights.sum().clamp(min=1.0)
