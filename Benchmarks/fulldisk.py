#!/usr/bin/env python3
"""Lets the disk run full while a process saves a context, and restores what is there after each.

Usage: fulldisk.py EDGE_SESSIONS MODEL.gguf [ROUNDS]

Files may not grow beyond a random limit (RLIMIT_FSIZE, whose signal is ignored, so that writing fails as it does on a full disk), and,
where this may mount one, the folder lies on a file system of memory that is nearly full. Each time saving must be refused by name,
leave no file of its own, and leave the state that was there before as it was.
"""
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import tempfile


def main():
    edge, model = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    random.seed(2)
    command = [edge, model, model, "200", "f16"]
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "state"

        def restores():
            return subprocess.run(command + ["--restoring", str(path)], capture_output=True).returncode == 0

        def saving(limit=None):
            def prepare():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                if limit is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                return subprocess.run(
                    command + ["--saving", str(path)], capture_output=True, text=True, timeout=20,
                    preexec_fn=prepare, restore_signals=False)
            except subprocess.TimeoutExpired:
                return None

        def check(name, done, names, isThere):
            nonlocal failures
            refused = done is not None and done.returncode == 3 and done.stdout.startswith("unwritable")
            left = set(os.listdir(folder))
            if not refused or left != names or (isThere and not restores()):
                failures += 1
                print(f"{name}: {done and (done.returncode, done.stdout.strip()[-200:])}, left {sorted(left)}")

        # A whole state: the process saves until it is stopped.
        process = subprocess.Popen(command + ["--saving", str(path)], stdout=subprocess.DEVNULL)
        while not path.exists():
            pass
        process.kill()
        process.wait()
        for left in path.parent.glob("state.*.tmp"):
            os.unlink(left)
        size = path.stat().st_size
        limits = [0, 1, 4096, size - 1] + [random.randrange(size) for _ in range(max(0, rounds - 4))]
        for limit in limits:
            check(f"a limit of {limit} bytes", saving(limit), {"state"}, True)
        os.unlink(path)
        check("a limit and no older state", saving(size // 2), set(), False)
        print(f"{len(limits) + 1} limits on the size of a file of {size} bytes")

        # The same state on a file system that has no room for a second one, then none for the first.
        mounted = 0
        for part in (1.5, 1.02, 0.5, 0.01):
            bytes = max(4096, int(size * part)) // 4096 * 4096
            if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={bytes}", "tmpfs", folder],
                              capture_output=True).returncode != 0:
                break
            mounted += 1
            try:
                isThere = part > 1
                check(f"a disk of {bytes} bytes", saving(), {"state"} if isThere else set(), isThere)
            finally:
                subprocess.run(["umount", folder], check=True)
        print(f"{mounted} disks of memory" if mounted else "no disk of memory could be mounted")
    print(f"{failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
