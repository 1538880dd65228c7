"""Makes two LoRA adapters for the bundled model, and records what llama.cpp computes with them.

    python Fixtures/model/lora.py Fixtures/edge-car-1m.gguf Fixtures/golden

Writes lora-a.gguf (F16, rank 2, every matrix of three layers), lora-b.gguf (F32, rank 3, two
matrices, no alpha), lora.json and lora.f32 (rows of logits, little-endian float32). Needs numpy and
llama-cpp-python (0.3.36 was used). Records from F32 copies of all files with an F32 cache, so that
llama.cpp rounds no activation; flash attention, which would, is off.
"""

import argparse
import ctypes
import json
import os
import tempfile

import numpy as np

import gguf

IDS = [1008, 84, 104, 101, 300, 412, 77, 530, 611, 290, 45, 702, 333, 256, 910, 12, 500, 640, 271, 88]
POSITIONS = (3, 19)
RUNS = (
    [["lora-a", 1.0]],
    [["lora-a", -0.5]],
    [["lora-b", 2.0]],
    [["lora-a", 0.75], ["lora-b", 1.5]],
)
MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def adapter(model, rng, targets, rank, alpha, kind):
    """Metadata and tensors of an adapter whose change is about a third as large as the weights."""
    keys = {
        "general.architecture": model.keys["general.architecture"],
        "general.type": "adapter",
        "general.name": "test adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": alpha,
    }
    tensors = {}
    for name in targets:
        rows, columns = model.tensors[name].shape
        size = model.tensors[name].std() / 3 / np.sqrt(rank) / (alpha / rank if alpha else 1)
        a = rng.standard_normal((rank, columns))
        b = rng.standard_normal((rows, rank)) * size
        tensors[name + ".lora_a"] = (a.astype(np.float32), kind)
        tensors[name + ".lora_b"] = (b.astype(np.float32), kind)
    return keys, tensors


def as_f32(source, target):
    """The same file with every tensor in F32."""
    file = gguf.Reader(source)
    gguf.write(target, file.keys, {name: (array, "F32") for name, array in file.tensors.items()})


def record(model_path, paths, runs):
    """Logits of POSITIONS for each run."""
    import llama_cpp as ll

    ll.llama_backend_init()
    model = ll.llama_model_load_from_file(model_path.encode(), ll.llama_model_default_params())
    adapters = {name: ll.llama_adapter_lora_init(model, path.encode()) for name, path in paths.items()}
    vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))
    rows = []
    for run in runs:
        options = ll.llama_context_default_params()
        options.n_ctx, options.n_threads, options.n_threads_batch = 64, 1, 1
        options.type_k = options.type_v = ll.GGML_TYPE_F32
        options.flash_attn_type = ll.LLAMA_FLASH_ATTN_TYPE_DISABLED
        context = ll.llama_init_from_model(model, options)
        handles = (ll.llama_adapter_lora_p_ctypes * len(run))(*(adapters[name] for name, _ in run))
        scales = (ctypes.c_float * len(run))(*(scale for _, scale in run))
        assert ll.llama_set_adapters_lora(context, handles, len(run), scales) == 0
        batch = ll.llama_batch_init(len(IDS), 0, 1)
        batch.n_tokens = len(IDS)
        for i, token in enumerate(IDS):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, i in POSITIONS
        assert ll.llama_decode(context, batch) == 0
        for position in POSITIONS:
            logits = ll.llama_get_logits_ith(context, position)
            rows.append(np.ctypeslib.as_array(logits, (vocabulary,)).copy())
        ll.llama_batch_free(batch)
        ll.llama_free(context)
    return rows


def main():
    parser = argparse.ArgumentParser(description="Make adapters and record llama.cpp's logits.")
    parser.add_argument("model")
    parser.add_argument("out", help="folder")
    options = parser.parse_args()

    model = gguf.Reader(options.model)
    rng = np.random.default_rng(1)
    every = [f"blk.{layer}.{name}.weight" for layer in (0, 3, 5) for name in MATRICES]
    few = ["blk.1.attn_q.weight", "blk.4.ffn_down.weight"]
    made = {
        "lora-a": adapter(model, rng, every, 2, 8.0, "F16"),
        "lora-b": adapter(model, rng, few, 3, 0.0, "F32"),
    }
    with tempfile.TemporaryDirectory() as folder:
        copies = {}
        for name, (keys, tensors) in made.items():
            path = os.path.join(options.out, name + ".gguf")
            gguf.write(path, keys, tensors)
            copies[name] = os.path.join(folder, name + ".gguf")
            as_f32(path, copies[name])
        copy = os.path.join(folder, "model.gguf")
        as_f32(options.model, copy)
        rows = record(copy, copies, RUNS)
    runs = [{"adapters": run, "rows": [len(POSITIONS) * i + j for j in range(len(POSITIONS))]}
            for i, run in enumerate(RUNS)]
    text = json.dumps({"ids": IDS, "positions": list(POSITIONS), "columns": len(rows[0]), "runs": runs})
    with open(os.path.join(options.out, "lora.json"), "w", encoding="utf-8") as file:
        file.write(text + "\n")
    np.array(rows, "<f4").tofile(os.path.join(options.out, "lora.f32"))


if __name__ == "__main__":
    main()
