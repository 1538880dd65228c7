"""Writes one-layer.gguf: a llama of one layer with random weights, for tests that need some model.

Usage: python3 one_layer.py one-layer.gguf   (standard library only; the seed is fixed, so the bytes are too)
"""

import random
import struct
import sys

WIDTH, HEADS, KV_HEADS, INNER, VOCABULARY = 32, 4, 2, 64, 64
UINT32, FLOAT32, STRING = 4, 6, 8


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, value):
    if kind == STRING:
        body = text(value)
    else:
        body = struct.pack("<I" if kind == UINT32 else "<f", value)
    return text(key) + struct.pack("<I", kind) + body


def main(path):
    rng = random.Random(1)
    metadata = [
        pair("general.architecture", STRING, "llama"),
        pair("general.name", STRING, "one layer of random weights"),
        pair("general.license", STRING, "apache-2.0"),
        pair("llama.context_length", UINT32, 128),
        pair("llama.embedding_length", UINT32, WIDTH),
        pair("llama.block_count", UINT32, 1),
        pair("llama.feed_forward_length", UINT32, INNER),
        pair("llama.attention.head_count", UINT32, HEADS),
        pair("llama.attention.head_count_kv", UINT32, KV_HEADS),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        pair("llama.rope.dimension_count", UINT32, WIDTH // HEADS),
    ]
    key_width = WIDTH // HEADS * KV_HEADS
    shapes = {
        "token_embd.weight": (WIDTH, VOCABULARY),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (WIDTH, key_width),
        "blk.0.attn_v.weight": (WIDTH, key_width),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
        "blk.0.ffn_norm.weight": (WIDTH,),
        "blk.0.ffn_gate.weight": (WIDTH, INNER),
        "blk.0.ffn_up.weight": (WIDTH, INNER),
        "blk.0.ffn_down.weight": (INNER, WIDTH),
    }
    directory, data = b"", b""
    for name, shape in shapes.items():
        directory += text(name) + struct.pack("<I", len(shape))
        directory += b"".join(struct.pack("<Q", length) for length in shape)
        directory += struct.pack("<IQ", 0, len(data))
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        low, high = (0.8, 1.2) if len(shape) == 1 else (-0.4, 0.4)
        data += struct.pack(f"<{count}f", *(rng.uniform(low, high) for _ in range(count)))
        data += b"\0" * (-len(data) % 32)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(metadata))
    header += b"".join(metadata) + directory
    header += b"\0" * (-len(header) % 32)
    with open(path, "wb") as file:
        file.write(header + data)


if __name__ == "__main__":
    main(sys.argv[1])
