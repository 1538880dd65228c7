"""Kills `edge-llm index` at random moments and looks whether the store is whole; then two processes index and search at once.

    python Benchmarks/index_kills.py FOLDER [--embedder FILE] [--kills 200] [--seed 1]

After each kill the store must open (SQLite's own check included), hold every document that it held before and none in part, and indexing
must go on from there. When all is indexed the store is compared with one that was never killed.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time


def contents(path):
    """Documents with their passages, and whether all is whole."""
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the database is damaged"
    db.execute("INSERT INTO terms (terms) VALUES ('integrity-check')")
    passages = {}
    for name, text, has_vector in db.execute(
            "SELECT s.name, p.text, v.passage IS NOT NULL FROM passages p JOIN sources s ON s.id = p.source "
            "LEFT JOIN vectors v ON v.passage = p.id ORDER BY s.name, p.id"):
        passages.setdefault(name, []).append((text, has_vector))
    words = db.execute("SELECT COUNT(*) FROM terms").fetchone()[0]
    assert words == sum(map(len, passages.values())), f"{words} rows of terms"
    db.close()
    return passages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--embedder")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edge", default=os.path.join(
        os.path.dirname(os.path.dirname(os.path.abspath(__file__))), ".build/release/edge-llm"))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    more = ["--embedder", options.embedder] if options.embedder else []

    def index(store, wait=True):
        process = subprocess.Popen([options.edge, "index", options.folder, "--docs", store, "--json", *more],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not wait:
            return process
        out, error = process.communicate()
        assert process.returncode == 0, error
        return json.loads(out)

    with tempfile.TemporaryDirectory() as folder:
        whole = os.path.join(folder, "whole")
        begin = time.perf_counter()
        report = index(whole)
        duration = time.perf_counter() - begin
        expected = contents(whole)
        print(f"{report['indexedCount']} documents, {report['passageCount']} passages in {duration:.2f} s", flush=True)

        killed, started_anew, resumed = 0, 0, 0
        store = os.path.join(folder, "killed")
        known = {}
        while killed < options.kills:
            process = index(store, wait=False)
            time.sleep(chance.random() * duration)
            if process.poll() is not None:
                # It was done: begin anew with an empty store.
                process.communicate()
                assert process.returncode == 0
                assert contents(store) == expected, "the store differs from one that was never killed"
                for name in os.listdir(folder):
                    if name.startswith("killed"):
                        os.remove(os.path.join(folder, name))
                known = {}
                started_anew += 1
                continue
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            if not os.path.exists(store):
                continue
            db = sqlite3.connect(store)
            is_made = db.execute("SELECT COUNT(*) FROM sqlite_master WHERE name = 'terms'").fetchone()[0]
            db.close()
            if not is_made:
                assert not known
                continue
            now = contents(store)
            for name in known:
                assert name in now, f"{name} was lost"
            for name, passages in now.items():
                assert passages == expected[name], f"{name} is there in part"
            resumed += len(now) > 0
            known = now
        report = index(store)
        assert contents(store) == expected
        assert report["unchangedCount"] == len(known), (report, len(known))
        print(f"{killed} kills: nothing lost, {resumed} times with documents stored, {started_anew} times done before the kill; "
              f"the last indexing went on behind {report['unchangedCount']} documents", flush=True)

        both = os.path.join(folder, "both")
        writers = [index(both, wait=False) for _ in range(2)]
        searches = 0
        while any(writer.poll() is None for writer in writers):
            if os.path.exists(both):
                out = subprocess.run([options.edge, "ask", "-m", "none", "--docs", both, "--search-only", "--json", "the car"],
                                     capture_output=True, text=True)
                assert out.returncode == 0, out.stderr
                searches += 1
        for writer in writers:
            _, error = writer.communicate()
            assert writer.returncode == 0, error
        assert contents(both) == expected
        print(f"two processes indexed at once while {searches} searches ran, without an error")


if __name__ == "__main__":
    sys.exit(main())
