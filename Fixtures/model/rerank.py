"""Makes a small random BERT that scores pairs of texts, and records llama.cpp's scores.

    python Fixtures/model/rerank.py Fixtures/rerank-tiny.gguf Fixtures/golden/rerank.json

Needs numpy and llama-cpp-python (0.3.36 was used). Records from an F32 copy, one thread.
"""

import ctypes
import json
import os
import sys
import tempfile

import numpy as np

import gguf
from lora import as_f32

WIDTH, HEADS, INNER, LAYERS, POSITIONS = 32, 4, 64, 2, 64
WORDS = ("brake engine light tyre oil pressure flashes warm cold stop the a is red green check drive "
         "car water snow").split()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + ["\u2581" + w for w in WORDS] + ["s", "ing", "."]
# [CLS] query [SEP] document [SEP]
PAIRS = [
    [2, 5, 6, 14, 3, 4, 16, 17, 18, 3],
    [2, 5, 6, 14, 3, 9, 10, 11, 12, 13, 3],
    [2, 22, 3, 23, 3],
    [2, 8, 7, 3, 15, 15, 15, 19, 20, 21, 22, 23, 24, 25, 26, 3],
    [2, 3, 3],
]


def main(path, record_path):
    rng = np.random.default_rng(5)
    keys = {
        "general.architecture": "bert",
        "general.name": "random reranker",
        "general.license": "apache-2.0",
        "bert.context_length": POSITIONS,
        "bert.embedding_length": WIDTH,
        "bert.block_count": LAYERS,
        "bert.feed_forward_length": INNER,
        "bert.attention.head_count": HEADS,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": 4,
        "bert.classifier.output_labels": ["score"],
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.token_type": [3, 2, 3, 3] + [1] * (len(PIECES) - 4),
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.seperator_token_id": 3,
        "tokenizer.ggml.cls_token_id": 2,
    }
    tensors = {}

    def matrix(name, rows, columns):
        values = rng.standard_normal((rows, columns)) * (2 / columns) ** 0.5
        tensors[name + ".weight"] = (values.astype(np.float32), "F16")

    def vector(name, count, middle, spread):
        tensors[name] = ((middle + spread * rng.standard_normal(count)).astype(np.float32), "F32")

    def linear(name, rows, columns):
        matrix(name, rows, columns)
        vector(name + ".bias", rows, 0, 0.1)

    def norm(name):
        vector(name + ".weight", WIDTH, 1, 0.1)
        vector(name + ".bias", WIDTH, 0, 0.1)

    matrix("token_embd", len(PIECES), WIDTH)
    matrix("position_embd", POSITIONS, WIDTH)
    matrix("token_types", 2, WIDTH)
    norm("token_embd_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            linear(block + name, WIDTH, WIDTH)
        norm(block + "attn_output_norm")
        linear(block + "ffn_up", INNER, WIDTH)
        linear(block + "ffn_down", WIDTH, INNER)
        norm(block + "layer_output_norm")
    linear("cls", WIDTH, WIDTH)
    linear("cls.output", 1, WIDTH)
    gguf.write(path, keys, tensors)

    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy.gguf")
        as_f32(path, copy)
        scores = record(copy)
    with open(record_path, "w", encoding="utf-8") as file:
        file.write(json.dumps({"pairs": PAIRS, "scores": scores}) + "\n")


def record(path):
    import llama_cpp as ll

    ll.llama_backend_init()
    model = ll.llama_model_load_from_file(path.encode(), ll.llama_model_default_params())
    options = ll.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = POSITIONS
    options.n_threads = options.n_threads_batch = 1
    options.embeddings, options.pooling_type = True, ll.LLAMA_POOLING_TYPE_RANK
    options.flash_attn_type = ll.LLAMA_FLASH_ATTN_TYPE_DISABLED
    context = ll.llama_init_from_model(model, options)
    scores = []
    for ids in PAIRS:
        batch = ll.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, True
        assert ll.llama_encode(context, batch) == 0
        scores.append(float(ctypes.cast(ll.llama_get_embeddings_seq(context, 0), ctypes.POINTER(ctypes.c_float))[0]))
        ll.llama_batch_free(batch)
    ll.llama_free(context)
    return scores


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
