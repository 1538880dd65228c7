"""The Llama architecture in JAX, laid out so that its weights go into a GGUF file as they are.

Weights are named as in GGUF and shaped (outputs, inputs). Rotary embedding turns neighbouring
pairs (0,1), (2,3), ..., which is the order the `llama` architecture of GGUF stores, so no
permutation is needed on the way out. Output weights are tied to the embedding.
"""

import jax
import jax.numpy as jnp
import numpy as np


def initial(config, seed):
    """Random weights; those that add to the residual stream start smaller in deeper models."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in config.shapes():
        if name.endswith("norm.weight"):
            weights[name] = jnp.ones(shape, jnp.float32)
            continue
        scale = 0.02 if name == "token_embd.weight" else shape[1] ** -0.5
        if "attn_output" in name or "ffn_down" in name:
            scale /= (2 * config.layers) ** 0.5
        weights[name] = jnp.asarray(rng.normal(0, scale, shape), jnp.float32)
    return weights


def normed(x, weight, epsilon):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def rotated(x, angles):
    """x: (batch, positions, heads, head_dim); angles: (positions, head_dim / 2)."""
    cos, sin = jnp.cos(angles)[:, None], jnp.sin(angles)[:, None]
    even, odd = x[..., 0::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


def forward(config, weights, tokens):
    """Logits (batch, positions, vocab) of tokens (batch, positions)."""
    batch, length = tokens.shape
    shared = config.heads // config.kv_heads
    steps = config.rope_base ** (-jnp.arange(0, config.head_dim, 2) / config.head_dim)
    angles = jnp.arange(length)[:, None] * steps
    mask = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -1e9)
    x = weights["token_embd.weight"][tokens]
    for i in range(config.layers):
        w = {name: weights[f"blk.{i}.{name}.weight"] for name in LAYER}
        h = normed(x, w["attn_norm"], config.epsilon)
        q = (h @ w["attn_q"].T).reshape(batch, length, config.heads, -1)
        k = (h @ w["attn_k"].T).reshape(batch, length, config.kv_heads, -1)
        v = (h @ w["attn_v"].T).reshape(batch, length, config.kv_heads, -1)
        q, k = rotated(q, angles), rotated(k, angles)
        q = q.reshape(batch, length, config.kv_heads, shared, -1)
        scores = jnp.einsum("bqgsd,bkgd->bgsqk", q, k) * config.head_dim**-0.5
        chances = jax.nn.softmax(scores + mask, axis=-1)
        mixed = jnp.einsum("bgsqk,bkgd->bqgsd", chances, v).reshape(batch, length, -1)
        x = x + mixed @ w["attn_output"].T
        h = normed(x, w["ffn_norm"], config.epsilon)
        x = x + (jax.nn.silu(h @ w["ffn_gate"].T) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    return normed(x, weights["output_norm.weight"], config.epsilon) @ weights["token_embd.weight"].T


LAYER = (
    "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down".split()
)
