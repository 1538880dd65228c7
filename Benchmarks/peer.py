"""Runs the same GGUF files through llama.cpp and edge-llm in turn, and prints the ratios.

    python Benchmarks/peer.py model.gguf ... [--threads 1,2] [--tests pp512,tg128] [--depth 0] [--rounds 3] [--blas-python PYTHON]

Needs `pip install llama-cpp-python` (0.3.36 or near) in an environment of its own, and `swift build -c release`. Each
measurement is a process of its own, the engines take turns, and medians over all rounds are printed: these machines are shared.
llama.cpp runs as it comes (repacking and flash attention on) and in other settings; "best" is its fastest for each row. A second
environment whose llama-cpp-python was built with `-DGGML_BLAS=ON -DGGML_BLAS_VENDOR=OpenBLAS` is named by --blas-python.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

SETTINGS = {
    "as it comes": {"repack": True, "flash": True},
    "no repacking": {"repack": False, "flash": True},
    "no flash attention": {"repack": True, "flash": False},
    # llama.cpp built with OpenBLAS, which multiplies prompts whose weights are not repacked; see --blas-python.
    "OpenBLAS": {"repack": False, "flash": True},
}


def child(options):
    """One measurement of llama.cpp in this process; prints JSON."""
    began = time.perf_counter()
    import llama_cpp as ll

    imported = time.perf_counter()
    null = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(null, None)
    ll.llama_backend_init()
    loading = time.perf_counter()
    model_options = ll.llama_model_default_params()
    model_options.n_gpu_layers = 0
    model_options.use_extra_bufts = options["repack"]
    model = ll.llama_load_model_from_file(options["model"].encode(), model_options)
    assert model, "llama.cpp refuses the file"
    count, depth = options["count"], options["depth"]
    context_options = ll.llama_context_default_params()
    context_options.n_ctx = count + depth + 8
    context_options.n_batch = context_options.n_ubatch = 512
    context_options.n_threads = context_options.n_threads_batch = options["threads"]
    context_options.flash_attn_type = 1 if options["flash"] else 0
    context = ll.llama_init_from_model(model, context_options)
    memory = ll.llama_get_memory(context)
    vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))

    def run(tokens):
        for start in range(0, len(tokens), 512):
            part = tokens[start:start + 512]
            array = (ll.llama_token * len(part))(*part)
            assert ll.llama_decode(context, ll.llama_batch_get_one(array, len(part))) == 0
        ll.llama_synchronize(context)

    def ids(number):
        return [(7919 * i) % vocabulary for i in range(number)]

    run([1 % vocabulary])
    first = time.perf_counter() - loading
    ll.llama_memory_clear(memory, True)
    if depth:
        run(ids(depth))
    seconds = []
    for repetition in range(options["repetitions"] + 1):
        ll.llama_memory_seq_rm(memory, 0, depth, -1)
        start = time.perf_counter()
        if options["kind"] == "pp":
            run(ids(count))
        else:
            for token in ids(count):
                run([token])
        if repetition:
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({
        "speeds": [count / s for s in seconds], "first": first, "peak": peak,
        "import": imported - began,
    }))


def llama(python, job, setting):
    text = json.dumps({**job, **SETTINGS[setting]})
    # Debian's OpenBLAS does not know newer processors and would take its slowest kernels.
    environment = {"OPENBLAS_CORETYPE": "SkylakeX", "OPENBLAS_NUM_THREADS": str(job["threads"]), **os.environ}
    out = subprocess.run([python, __file__, "--child", text], capture_output=True, text=True, env=environment)
    if out.returncode:
        sys.exit(f"llama.cpp failed: {out.stderr.strip().splitlines()[-1:]}")
    return json.loads(out.stdout)


def edge(program, job):
    prompt = job["count"] if job["kind"] == "pp" else 0
    generated = job["count"] if job["kind"] == "tg" else 0
    out = subprocess.run(
        [program, "bench", "-m", job["model"], "-p", str(prompt), "-n", str(generated), "-d",
         str(job["depth"]), "-t", str(job["threads"]), "-r", str(job["repetitions"]), "-o", "json"],
        capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"edge-llm failed: {out.stderr.strip()}")
    row = json.loads(out.stdout)[0]
    return {"speeds": [row["tokensPerSecond"]], "first": row["firstTokenSeconds"],
            "peak": row["peakMemoryBytes"], "share": row["share"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--tests", default="pp512,tg128")
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--settings", default=",".join(s for s in SETTINGS if s != "OpenBLAS"))
    parser.add_argument("--blas-python", help="the Python that has llama.cpp with OpenBLAS; asked for prompts")
    parser.add_argument("--edge", default=os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/edge-llm"))
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        return child(json.loads(options.child))

    print("| file | threads | test | edge-llm tok/s (share of the ceiling) | llama.cpp as it comes | ratio | best "
          "| ratio | to first token, s | peak memory, MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for path in options.models:
        for threads in map(int, options.threads.split(",")):
            for test in options.tests.split(","):
                job = {"model": path, "threads": threads, "kind": test[:2], "count": int(test[2:]),
                       "depth": options.depth, "repetitions": options.repetitions}
                results = {}
                pythons = dict.fromkeys(options.settings.split(","), sys.executable)
                if options.blas_python and test.startswith("pp"):
                    pythons["OpenBLAS"] = options.blas_python
                for _ in range(options.rounds):
                    for setting, python in pythons.items():
                        results.setdefault(setting, []).append(llama(python, job, setting))
                    results.setdefault("edge", []).append(edge(options.edge, job))

                def median(name, field):
                    values = [r[field] for r in results[name]]
                    if field == "speeds":
                        values = [speed for speeds in values for speed in speeds]
                    return statistics.median(values)

                ours, plain = median("edge", "speeds"), median("as it comes", "speeds")
                best = max((s for s in results if s != "edge"), key=lambda s: median(s, "speeds"))
                top = median(best, "speeds")
                depth = f" @ d{options.depth}" if options.depth else ""
                print(f"| {os.path.basename(path)} | {threads} | {test}{depth} "
                      f"| {ours:.2f} ({100 * median('edge', 'share'):.0f} %) | {plain:.2f} | {ours / plain:.2f} "
                      f"| {top:.2f} ({best}) | {ours / top:.2f} "
                      f"| {median('edge', 'first'):.2f} : {median('as it comes', 'first'):.2f} "
                      f"| {median('edge', 'peak') / 1e6:.0f} : {median('as it comes', 'peak') / 1e6:.0f} |",
                      flush=True)


if __name__ == "__main__":
    main()
