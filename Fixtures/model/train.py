"""Trains the bundled model and writes it as GGUF: corpus, vocabulary, weights, file.

    python Fixtures/model/train.py --out Fixtures/edge-car-1m.gguf

The same seed and machine give the same file. See ../README.md.
"""

import argparse
import time

import gguf
import jax
import jax.numpy as jnp
import numpy as np
import optax

import bpe
import corpus
from config import Config
from model import forward, initial

NAME = "Edge Car 1M"
DESCRIPTION = "A tiny model that writes short English texts about cars and driving."


def packed(tokenizer, texts, length):
    """Documents as BOS ... EOS, laid end to end and cut into rows of `length` + 1."""
    ids = []
    for text in texts:
        ids += [tokenizer.bos, *tokenizer.encode(text), tokenizer.eos]
    rows = (len(ids) - 1) // length
    data = np.array(ids, np.int32)
    return np.stack([data[i * length:(i + 1) * length + 1] for i in range(rows)])


def train(config, rows, options):
    """Weights after `options.steps` steps of AdamW."""
    warm = max(1, options.steps // 20)
    rate = optax.warmup_cosine_decay_schedule(0, options.rate, warm, options.steps, 0)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.95, weight_decay=0.05)
    )
    weights = initial(config, options.seed)
    state = optimizer.init(weights)

    def loss(weights, batch):
        logits = forward(config, weights, batch[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch[:, 1:]).mean()

    @jax.jit
    def step(weights, state, batch):
        value, gradient = jax.value_and_grad(loss)(weights, batch)
        updates, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state, value

    rng, order, began, recent = np.random.default_rng(options.seed), [], time.time(), []
    for count in range(1, options.steps + 1):
        if len(order) < options.batch:
            order = list(rng.permutation(len(rows)))
        batch = jnp.asarray(rows[[order.pop() for _ in range(options.batch)]])
        weights, state, value = step(weights, state, batch)
        recent = [*recent[-49:], float(value)]
        if count % 50 == 0 or count == options.steps:
            seconds = time.time() - began
            print(f"step {count} loss {np.mean(recent):.4f} {seconds:.0f} s", flush=True)
    return weights


def save(path, config, tokenizer, weights, kind):
    """Writes matrices as `kind`, norms as F32."""
    keys = {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": NAME,
        "general.description": DESCRIPTION,
        "general.license": "apache-2.0",
        "general.file_type": gguf.FILE_TYPES[kind],
        "general.quantization_version": 2,
        **config.metadata(),
        **tokenizer.metadata(),
    }
    tensors = {
        name: (np.asarray(weights[name]), kind if len(shape) == 2 else "F32")
        for name, shape in config.shapes()
    }
    gguf.write(path, keys, tensors)


def main():
    parser = argparse.ArgumentParser(description="Train the bundled model.")
    parser.add_argument("--out", default="edge-car-1m.gguf")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=40000)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--type", choices=("F32", "F16", "Q8_0"), default="F16")
    options = parser.parse_args()

    texts = corpus.compose(options.seed, options.documents)
    config = Config()
    tokenizer = bpe.train(texts, config.vocab)
    rows = packed(tokenizer, texts, options.length)
    size = sum(np.prod(shape) for _, shape in config.shapes())
    print(f"{sum(map(len, texts))} characters, {rows.size} tokens, {size} parameters", flush=True)
    weights = train(config, rows, options)
    save(options.out, config, tokenizer, weights, options.type)


if __name__ == "__main__":
    main()
