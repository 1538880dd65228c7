#!/usr/bin/env python3
"""Compares the memory that `edge-llm plan` predicts with what the process then takes.

Usage: memory.py EDGE_LLM FOLDER

Writes models of published shapes with fewer layers into FOLDER (with `edge-llm synth`, where they are not there yet), and runs
`edge-llm plan --measure` over models, contexts, batches, cache types and threads. Prints a table, and fails where a plan is more
than 3 % off, for processes that take 32 MiB or more: below that a page of each buffer more or less shows.
"""
import itertools
import json
import pathlib
import subprocess
import sys

MODELS = ["llama-3.2-1b/4:Q4_K_M", "qwen2.5-0.5b/6:Q8_0", "gemma-3-1b/6:Q4_K_M", "smollm2-135m:Q4_K_M", "olmo-2-1b/4:Q6_K",
          "phi-3-mini/16:Q8_0", "mistral-7b/32:Q4_K_M"]
SETTINGS = [
    # context, batch, threads
    (256, 64, 1), (512, 512, 2), (1024, 128, 2), (1536, 512, 1), (2048, 256, 2), (4096, 512, 2),
]


def main():
    edge, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    types = [t for t in ("f16", "q8_0", "q4_0", "f32") if subprocess.run(
        [edge, "plan", "-m", "Fixtures/edge-car-1m.gguf", "--cache-type", t], capture_output=True).returncode == 0]
    worst, count = 0.0, 0
    print("| model | context | batch | threads | cache | planned MiB | measured MiB | off |\n|---|---|---|---|---|---|---|---|")
    for index, (name, (context, batch, threads)) in enumerate(itertools.product(MODELS, SETTINGS)):
        path = folder / (name.replace("/", "_").replace(":", "_") + ".gguf")
        if not path.exists():
            subprocess.run([edge, "synth", name, "-o", str(path)], check=True, capture_output=True)
        # In the file cache, whose pages the plan counts as mapped.
        path.read_bytes()
        for cache in (types[index % len(types)], types[(index + 1) % len(types)]):
            out = subprocess.run(
                [edge, "plan", "-m", str(path), "-c", str(context), "-b", str(batch), "-t", str(threads), "--cache-type",
                 cache, "--measure", "--json"], check=True, capture_output=True, text=True).stdout
            report = json.loads(out)
            planned, measured = report["total"], report["measured"]
            off = planned / measured - 1
            count += 1
            if measured >= 32 << 20:
                worst = max(worst, abs(off))
            print(f"| {name} | {context} | {batch} | {threads} | {cache} | {planned / 2**20:.1f} | {measured / 2**20:.1f} "
                  f"| {100 * off:+.2f} % |", flush=True)
    print(f"\n{count} combinations, at most {100 * worst:.2f} % off")
    return 0 if worst <= 0.03 else 1


if __name__ == "__main__":
    sys.exit(main())
