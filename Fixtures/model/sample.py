"""Prints what a model writes: greedy by default, or sampled at a temperature.

    python Fixtures/model/sample.py Fixtures/edge-car-1m.gguf "The engine light is"
"""

import argparse

import numpy as np

from golden import tokenizer_of
from reference import Reference


def main():
    parser = argparse.ArgumentParser(description="Write text with a model.")
    parser.add_argument("model")
    parser.add_argument("prompt", nargs="*", default=[""])
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=120)
    options = parser.parse_args()
    model = Reference(options.model)
    tokenizer = tokenizer_of(model.keys)
    rng = np.random.default_rng(options.seed)
    for prompt in options.prompt:
        ids = [tokenizer.bos, *tokenizer.encode(prompt.replace("\\n", "\n"))]
        start = len(ids)
        while len(ids) < start + options.count and (len(ids) == start or ids[-1] != tokenizer.eos):
            row = model.logits(ids)[-1]
            if options.temperature > 0:
                row = row / options.temperature + rng.gumbel(size=row.shape)
            ids.append(int(row.argmax()))
        end = "[end]" if ids[-1] == tokenizer.eos else "[cut]"
        print(tokenizer.decode(ids) + " " + end + "\n")


if __name__ == "__main__":
    main()
