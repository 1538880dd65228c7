"""Records what the bundled model must do, by the reference forward pass and the Python tokenizer.

    python Fixtures/model/golden.py Fixtures/edge-car-1m.gguf Fixtures/golden/edge-car

Writes NAME.json and NAME.f32 (rows of logits, little-endian float32, one row per vocabulary).
"""

import argparse
import hashlib
import json
import re

import numpy as np

import bpe
from gguf import Reader
from reference import Reference

PROMPTS = (
    "The engine light is flashing and the car",
    "Question: Why is the engine light flashing and the car vibrating?\nAnswer:",
    "Question: How do I drive in snow?\nAnswer:",
    "Last winter, Anna was driving her old blue van",
    "",
)
TEXTS = (
    "",
    " ",
    "Hello, world!",
    "The tyre pressure is 2.4 bar, i.e. 35 psi; it's 12345 km since the last check.",
    "  two  spaces   and\ttabs\n\nand\r\nlines \n ",
    "DON'T you'll WE'VE",
    "Der Reifen ist platt. Größe: 205/55 R16 – naïve café",
    "日本語の車 🚗🚙 e\u0301",
    "<|begin_of_text|>not a special token<|end_of_text|>",
    "a" * 40,
)


def tokenizer_of(keys):
    """The tokenizer as the file's metadata describes it."""
    tokens = keys["tokenizer.ggml.tokens"]
    specials = [t for t, kind in zip(tokens, keys["tokenizer.ggml.token_type"]) if kind == 3]
    return bpe.Tokenizer(bpe.merges_of(keys), specials)


def main():
    parser = argparse.ArgumentParser(description="Record goldens of the bundled model.")
    parser.add_argument("model")
    parser.add_argument("out", help="path without extension")
    parser.add_argument("--count", type=int, default=48)
    options = parser.parse_args()

    model = Reference(options.model)
    tokenizer = tokenizer_of(Reader(options.model).keys)
    rows, prompts = [], []
    for text in PROMPTS:
        ids = [tokenizer.bos, *tokenizer.encode(text)]
        greedy, margins = model.greedy(ids, options.count, tokenizer.eos)
        logits = model.logits(ids + greedy)
        positions = sorted({0, len(ids) - 1, len(ids) + len(greedy) - 1})
        prompts.append({
            "text": text,
            "ids": ids,
            "greedy": greedy,
            "margins": margins,
            "greedy_text": tokenizer.decode(greedy),
            "logits": [{"position": p, "row": len(rows) + i} for i, p in enumerate(positions)],
        })
        rows += [logits[p] for p in positions]
    with open(options.model, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    record = {
        "model_sha256": digest,
        "logits_columns": len(tokenizer),
        "logits_rows": len(rows),
        "about": "ids start with BOS; greedy ends with EOS if it was reached; margins are the lead "
                 "of each greedy id over the runner-up; positions count over ids + greedy",
        "prompts": prompts,
        "tokenize": [{"text": t, "ids": tokenizer.encode(t)} for t in TEXTS],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False)
    text = re.sub(r"\[[-\d.,\s]*\]", lambda m: " ".join(m.group().split()), text)
    with open(options.out + ".json", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    np.array(rows, "<f4").tofile(options.out + ".f32")


if __name__ == "__main__":
    main()
