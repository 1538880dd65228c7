"""Embeds the same texts with llama.cpp and edge-llm in turn, and prints texts per second and the ratios.

    python Benchmarks/peer_embeddings.py model.gguf --texts FILE [--threads 2] [--count 200] [--rounds 5]

FILE holds a text a line; they are repeated until there are `count`. Needs what `peer.py` needs. Each measurement is a process of its
own and the engines take turns. llama.cpp gets the ids ready-made and packs as many texts into a batch of 512 tokens as fit; of its
settings the fastest counts as "best". edge-llm's time includes cutting the texts into tokens. The vectors are compared, too.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

SETTINGS = {
    "as it comes": {"repack": True, "flash": -1},
    "no repacking": {"repack": False, "flash": -1},
    "flash attention": {"repack": True, "flash": 1},
    "no flash attention": {"repack": True, "flash": 0},
}


def child(options):
    """One measurement of llama.cpp in this process; prints JSON."""
    import llama_cpp as ll

    null = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(null, None)
    ll.llama_backend_init()
    model_options = ll.llama_model_default_params()
    model_options.n_gpu_layers = 0
    model_options.use_extra_bufts = options["repack"]
    model = ll.llama_load_model_from_file(options["model"].encode(), model_options)
    assert model, "llama.cpp refuses the file"
    vocabulary = ll.llama_model_get_vocab(model)
    context_options = ll.llama_context_default_params()
    context_options.n_ctx = context_options.n_batch = context_options.n_ubatch = 512
    context_options.n_seq_max = 64
    context_options.n_threads = context_options.n_threads_batch = options["threads"]
    context_options.embeddings = True
    context_options.kv_unified = True
    context_options.flash_attn_type = options["flash"]
    context = ll.llama_init_from_model(model, context_options)
    assert context, "llama.cpp refuses the context"
    width = ll.llama_model_n_embd(model)

    texts = []
    for text in json.load(open(options["texts"])):
        data = text.encode()
        ids = (ll.llama_token * (len(data) + 8))()
        number = ll.llama_tokenize(vocabulary, data, len(data), ids, len(ids), True, False)
        assert number > 0
        texts.append(list(ids[:number]))

    batches = [[]]
    for index, text in enumerate(texts):
        if len(batches[-1]) == 64 or sum(len(texts[i]) for i in batches[-1]) + len(text) > 512:
            batches.append([])
        batches[-1].append(index)
    batch = ll.llama_batch_init(512, 0, 1)

    def run(keep):
        vectors = []
        for indices in batches:
            batch.n_tokens = 0
            for sequence, index in enumerate(indices):
                for position, token in enumerate(texts[index]):
                    place = batch.n_tokens
                    batch.token[place] = token
                    batch.pos[place] = position
                    batch.n_seq_id[place] = 1
                    batch.seq_id[place][0] = sequence
                    batch.logits[place] = 1
                    batch.n_tokens += 1
            start = time.perf_counter()
            assert ll.llama_encode(context, batch) == 0
            ll.llama_synchronize(context)
            spent[0] += time.perf_counter() - start
            for sequence in range(len(indices)):
                vector = ll.llama_get_embeddings_seq(context, sequence)
                if keep:
                    vectors.append(list(vector[:width]))
        return vectors

    # Filling the batch is Python's work, not llama.cpp's, and is not timed.
    spent = [0.0]
    vectors = run(True)
    speeds = []
    for _ in range(options["repetitions"]):
        spent[0] = 0.0
        run(False)
        speeds.append(len(texts) / spent[0])
    print(json.dumps({"speeds": speeds, "tokens": sum(map(len, texts)), "vectors": vectors[:50]}))


def llama(python, job, setting):
    out = subprocess.run([python, __file__, "--child", json.dumps({**job, **SETTINGS[setting]})],
                         capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"llama.cpp failed: {out.stderr.strip().splitlines()[-1:]}")
    return json.loads(out.stdout)


def edge(program, job, lines, *more):
    out = subprocess.run([program, "embed", "-m", job["model"], "-t", str(job["threads"]), "-f", lines, *more],
                         capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"edge-llm failed: {out.stderr.strip()}")
    return json.loads(out.stdout)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--texts")
    parser.add_argument("--threads", default="2")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--edge", default=os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/edge-llm"))
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        return child(json.loads(options.child))

    given = [line.strip() for line in open(options.texts, encoding="utf-8") if line.strip()]
    texts = (given * (options.count // len(given) + 1))[:options.count]
    with tempfile.TemporaryDirectory() as folder:
        lines, ready = os.path.join(folder, "texts.txt"), os.path.join(folder, "texts.json")
        with open(lines, "w", encoding="utf-8") as file:
            file.write("\n".join(texts) + "\n")
        with open(ready, "w", encoding="utf-8") as file:
            json.dump(texts, file)
        print("| threads | texts | tokens | edge-llm texts/s | llama.cpp as it comes | ratio | best | ratio | lowest cosine |")
        print("|---|---|---|---|---|---|---|---|---|")
        for threads in map(int, options.threads.split(",")):
            job = {"model": options.model, "threads": threads, "texts": ready, "repetitions": options.repetitions}
            results, vectors = {}, None
            for _ in range(options.rounds):
                for setting in options.settings.split(","):
                    result = llama(sys.executable, job, setting)
                    vectors = vectors or result["vectors"]
                    results.setdefault(setting, []).extend(result["speeds"])
                ours = edge(options.edge, job, lines, "--repeats", str(options.repetitions))
                results.setdefault("edge", []).extend(ours["textsPerSecond"])
            tokens = result["tokens"]
            assert ours["tokens"] == tokens, f"{ours['tokens']} tokens here, {tokens} there"
            mine = edge(options.edge, job, lines)["embeddings"]
            lowest = min(cosine(a, b) for a, b in zip(mine, vectors))
            medians = {name: statistics.median(speeds) for name, speeds in results.items()}
            best = max((name for name in medians if name != "edge"), key=medians.get)
            plain = medians["as it comes"] if "as it comes" in medians else medians[best]
            print(f"| {threads} | {len(texts)} | {tokens} | {medians['edge']:.1f} | {plain:.1f} "
                  f"| {medians['edge'] / plain:.2f} | {medians[best]:.1f} ({best}) "
                  f"| {medians['edge'] / medians[best]:.2f} | {lowest:.5f} |", flush=True)


if __name__ == "__main__":
    main()
