"""Lets llama.cpp and edge-llm write the same turns of the assistant's held-out cases greedily, and compares what they write.

    python Benchmarks/peer_texts.py model.gguf [--count 60] [--seed 4713] [--threads 2]

Needs `pip install llama-cpp-python` (0.3.36 or near) in an environment of its own, and `swift build -c release`. Each turn of a case is
given all that is before it as it should be, so that one turn that differs does not spoil the next. Turns that differ are shown; the exit
code is 1 where there are any.
"""

import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "Fixtures", "assistant"))

import cases

LIMIT = 200


def turns(case):
    """(all that is before, what should be written) of the turns of a case."""
    before = "<|begin|>"
    for text, is_mine in cases.rendered(case):
        if is_mine:
            yield before, text.removesuffix("<|end|>")
        before += text


class Peer:
    """llama.cpp, which takes the likeliest token until the turn ends."""

    def __init__(self, path, threads):
        import llama_cpp

        self.llama = llama_cpp.Llama(path, n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False)

    def write(self, prompt):
        tokens = self.llama.tokenize(prompt.encode(), add_bos=False, special=True)
        self.llama.reset()
        written = []
        for token in self.llama.generate(tokens, temp=0, repeat_penalty=1.0):
            if token == self.llama.token_eos() or len(written) == LIMIT:
                break
            written.append(token)
        # The marks of calls are text.
        return self.llama.detokenize(written, prev_tokens=tokens, special=True).decode()


def ours(program, path, threads, prompt):
    command = [program, "run", "-m", path, "--parse-special", "--temp", "0", "-n", str(LIMIT), "-t", str(threads), "-q"]
    done = subprocess.run(command, input=prompt.removeprefix("<|begin|>").encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def main():
    parser = argparse.ArgumentParser(description="Compare what llama.cpp and edge-llm write greedily.")
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=60, help="cases")
    parser.add_argument("--seed", type=int, default=4713, help="of the held-out cases")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--edge-llm", default=os.path.join(HERE, "..", ".build", "release", "edge-llm"))
    options = parser.parse_args()
    peer, maker = Peer(options.model, options.threads), cases.Maker(options.seed, held=True)
    same = count = right = 0
    for number in range(options.count):
        for prompt, wanted in turns(maker.case()):
            theirs, mine = peer.write(prompt), ours(options.edge_llm, options.model, options.threads, prompt)
            count += 1
            right += mine.strip() == wanted
            if theirs.strip() == mine.strip():
                same += 1
            else:
                print(f"case {number}:\n  llama.cpp {theirs!r}\n  edge-llm  {mine!r}", flush=True)
    print(f"{same} of {count} turns of {options.count} cases are the same text; {right} are as they should be")
    sys.exit(same != count)


if __name__ == "__main__":
    main()
