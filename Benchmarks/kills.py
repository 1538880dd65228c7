#!/usr/bin/env python3
"""Kills a process at random moments while it saves a context, and restores what is there after each.

Usage: kills.py EDGE_SESSIONS MODEL.gguf [ROUNDS]

Once a file is there, every restore must succeed: a new file takes the old one's place when it is whole.
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time


def main():
    edge, model = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state"
        # Vocabulary: the model's own.
        command = [edge, model, model, "200", "f16"]
        failures = restored = absent = 0
        for round in range(rounds):
            process = subprocess.Popen(command + ["--saving", str(path)], stdout=subprocess.DEVNULL)
            time.sleep(random.uniform(0.05, 0.4))
            process.kill()
            process.wait()
            if not path.exists():
                absent += 1
                continue
            done = subprocess.run(command + ["--restoring", str(path)], capture_output=True)
            restored += done.returncode == 0
            if done.returncode != 0:
                failures += 1
                print(f"round {round}: {done.stderr.decode().strip()[-300:]}")
            for left in path.parent.glob("state.*.tmp"):
                os.unlink(left)
        print(f"{rounds} kills: {restored} restored, {absent} before the first file was whole, {failures} failed")
        return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
