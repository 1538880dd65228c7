"""Searches the same vectors exactly with FAISS's flat index and with EdgeSearch in turn; prints milliseconds a query and recall.

    python Benchmarks/peer_faiss.py [--count 100000] [--dimensions 384] [--threads 2] [--rounds 5] [--batch 1,32]

Needs faiss-cpu and numpy, and `swift build -c release --product edge-vectors`. Each measurement is a process of its own and the two take
turns. The truth is what FAISS finds in f64 of numpy; ties aside, both must find it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def child(options):
    import faiss
    import numpy

    faiss.omp_set_num_threads(options["threads"])
    vectors = numpy.fromfile(options["file"], dtype="<f4").reshape(-1, options["dimensions"])
    queries, vectors = vectors[-options["queries"]:], vectors[:-options["queries"]]
    index = faiss.IndexFlatIP(options["dimensions"])
    index.add(vectors)
    milliseconds = []
    for round in range(options["repetitions"] + 1):
        found = []
        begin = time.perf_counter()
        for start in range(0, len(queries), options["batch"]):
            found.extend(index.search(queries[start:start + options["batch"]], 10)[1].tolist())
        if round:
            milliseconds.append((time.perf_counter() - begin) * 1000 / len(queries))
    print(json.dumps({"milliseconds": milliseconds, "found": found}))


def run(command):
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{command[0]} failed: {out.stderr.strip()[-300:]}")
    return json.loads(out.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--batch", default="1,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--edge", default=os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/edge-vectors"))
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        return child(json.loads(options.child))

    import numpy

    random = numpy.random.default_rng(1)
    vectors = random.standard_normal((options.count + options.queries, options.dimensions))
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype("<f4")
    exact = vectors[-options.queries:].astype("f8") @ vectors[:-options.queries].astype("f8").T
    truth = numpy.argsort(-exact, axis=1, kind="stable")[:, :10].tolist()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vectors.f32")
        vectors.tofile(path)
        print("| threads | queries at once | edge ms | FAISS flat ms | ratio | edge best | FAISS best | recall@10 edge | FAISS |")
        print("|---|---|---|---|---|---|---|---|---|")
        for threads in map(int, options.threads.split(",")):
            for batch in map(int, options.batch.split(",")):
                ours, theirs = [], []
                job = {"file": path, "dimensions": options.dimensions, "queries": options.queries, "threads": threads,
                       "batch": batch, "repetitions": options.repetitions}
                for _ in range(options.rounds):
                    faiss = run([sys.executable, __file__, "--child", json.dumps(job)])
                    theirs += faiss["milliseconds"]
                    edge = run([options.edge, path, str(options.dimensions), str(options.queries), str(threads),
                                str(options.repetitions), str(batch)])
                    ours += edge["milliseconds"]

                def recall(found):
                    return sum(len(set(a) & set(b)) for a, b in zip(found, truth)) / (10 * len(truth))

                mine, peer = statistics.median(ours), statistics.median(theirs)
                print(f"| {threads} | {batch} | {mine:.2f} | {peer:.2f} | {peer / mine:.2f} "
                      f"| {min(ours):.2f} | {min(theirs):.2f} | {recall(edge['found']):.4f} "
                      f"| {recall(faiss['found']):.4f} |", flush=True)


if __name__ == "__main__":
    main()
