"""A plain float64 forward pass over the weights in a GGUF file: the oracle behind the goldens.

Written apart from model.py, one position vector at a time where that is clearer, and never
optimised. Covers the `llama` architecture with grouped-query attention, tied or separate output,
`rope_freqs.weight`, and linear and YaRN position scaling (arXiv 2309.00071).
"""

import math

import numpy as np

from gguf import Reader


class Reference:
    """A model read from `path`. `logits(ids)` gives one float64 row per position."""

    def __init__(self, path):
        file = Reader(path)
        self.keys = file.keys
        self.weights = {name: array.astype(np.float64) for name, array in file.tensors.items()}
        self.heads = self.keys["llama.attention.head_count"]
        self.kv_heads = self.keys["llama.attention.head_count_kv"]
        self.layers = self.keys["llama.block_count"]
        self.epsilon = float(np.float32(self.keys["llama.attention.layer_norm_rms_epsilon"]))
        self.rope_dim = self.keys["llama.rope.dimension_count"]
        self.steps, self.magnitude = self.rope()

    def rope(self):
        """(angle per position of each pair, factor on the rotated vector)."""
        pair = np.arange(self.rope_dim // 2)
        base = self.keys["llama.rope.freq_base"]
        plain = base ** (-2.0 * pair / self.rope_dim)
        plain = plain / self.weights.get("rope_freqs.weight", 1.0)
        kind = self.keys.get("llama.rope.scaling.type", "none")
        if kind == "none":
            return plain, 1.0
        factor = self.keys["llama.rope.scaling.factor"]
        if kind == "linear":
            return plain / factor, 1.0
        # YaRN: pairs that turn often within the original context keep their angle, slow ones are
        # interpolated, with a ramp between 32 turns and 1 turn.
        original = self.keys["llama.rope.scaling.original_context_length"]

        def pair_with_turns(turns):
            wave = original / (turns * 2 * math.pi)
            return self.rope_dim * math.log(wave) / (2 * math.log(base))

        low = max(0, math.floor(pair_with_turns(32)))
        high = min(self.rope_dim - 1, math.ceil(pair_with_turns(1)))
        keep = 1 - np.clip((pair - low) / max(0.001, high - low), 0, 1)
        return plain / factor * (1 - keep) + plain * keep, 1 + 0.1 * math.log(factor)

    def rotate(self, x, position):
        """x: (heads, head_dim). Turns neighbouring pairs among the first `rope_dim` values."""
        out = x.copy()
        cos = np.cos(position * self.steps) * self.magnitude
        sin = np.sin(position * self.steps) * self.magnitude
        even, odd = x[:, 0:self.rope_dim:2], x[:, 1:self.rope_dim:2]
        out[:, 0:self.rope_dim:2] = even * cos - odd * sin
        out[:, 1:self.rope_dim:2] = even * sin + odd * cos
        return out

    def norm(self, x, name):
        scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.epsilon)
        return x * scale * self.weights[name]

    def attention(self, x, layer):
        """x: (positions, dim), normed. Each query head h reads key head h // (heads / kv_heads)."""
        w = self.weights
        count, group = len(x), self.heads // self.kv_heads
        q = (x @ w[f"blk.{layer}.attn_q.weight"].T).reshape(count, self.heads, -1)
        k = (x @ w[f"blk.{layer}.attn_k.weight"].T).reshape(count, self.kv_heads, -1)
        v = (x @ w[f"blk.{layer}.attn_v.weight"].T).reshape(count, self.kv_heads, -1)
        q = np.stack([self.rotate(row, p) for p, row in enumerate(q)])
        k = np.stack([self.rotate(row, p) for p, row in enumerate(k)])
        out = np.zeros_like(q)
        for p in range(count):
            for h in range(self.heads):
                scores = k[:p + 1, h // group] @ q[p, h] / math.sqrt(q.shape[-1])
                chances = np.exp(scores - scores.max())
                out[p, h] = (chances / chances.sum()) @ v[:p + 1, h // group]
        return out.reshape(count, -1) @ w[f"blk.{layer}.attn_output.weight"].T

    def feed_forward(self, x, layer):
        gate = x @ self.weights[f"blk.{layer}.ffn_gate.weight"].T
        up = x @ self.weights[f"blk.{layer}.ffn_up.weight"].T
        return (gate / (1 + np.exp(-gate)) * up) @ self.weights[f"blk.{layer}.ffn_down.weight"].T

    def logits(self, ids):
        x = self.weights["token_embd.weight"][list(ids)]
        for layer in range(self.layers):
            x = x + self.attention(self.norm(x, f"blk.{layer}.attn_norm.weight"), layer)
            x = x + self.feed_forward(self.norm(x, f"blk.{layer}.ffn_norm.weight"), layer)
        output = self.weights.get("output.weight", self.weights["token_embd.weight"])
        return self.norm(x, "output_norm.weight") @ output.T

    def greedy(self, ids, count, stop=None):
        """Up to `count` ids, `stop` included if reached, and for each the lead over the runner-up.
        """
        ids, out, margins = list(ids), [], []
        while len(out) < count and (not out or out[-1] != stop):
            row = self.logits(ids)[-1]
            second, first = np.sort(row)[-2:]
            out.append(int(row.argmax()))
            margins.append(round(float(first - second), 4))
            ids.append(out[-1])
        return out, margins
