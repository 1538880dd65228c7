"""Quantizes the same GGUF file with llama.cpp and edge-llm in turn, compares the bytes, and prints the ratios.

    python Benchmarks/quantize.py model-F16.gguf [--types Q4_K_M,Q8_0] [--threads 2] [--rounds 3] [--folder DIR]

Needs `pip install llama-cpp-python` (0.3.36 or near) in an environment of its own, and `swift build -c release`. Each quantization is a
process of its own, the engines take turns, and medians over all rounds are printed: these machines are shared. Seconds of the
processor are printed too, as they depend less on who else is there.
"""

import argparse
import filecmp
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

FILE_TYPES = {
    "F32": 0, "F16": 1, "BF16": 32, "Q8_0": 7, "Q6_K": 18, "Q5_1": 9, "Q5_K_M": 17, "Q5_K_S": 16, "Q5_0": 8, "Q4_1": 3,
    "Q4_K_M": 15, "Q4_K_S": 14, "Q4_0": 2, "IQ4_NL": 25, "IQ4_XS": 30, "Q3_K_L": 13, "Q3_K_M": 12, "Q3_K_S": 11,
    "Q2_K": 10,
}


def child(options):
    """One quantization by llama.cpp in this process."""
    import ctypes

    import llama_cpp as ll

    null = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(null, None)
    parameters = ll.llama_model_quantize_default_params()
    parameters.ftype = FILE_TYPES[options["type"]]
    parameters.nthread = options["threads"]
    began = time.perf_counter()
    code = ll.llama_model_quantize(
        options["input"].encode(), options["output"].encode(), ctypes.byref(parameters))
    assert code == 0, "llama.cpp refuses the file"
    print(json.dumps({"wall": time.perf_counter() - began}))


def run(command):
    """Wall and processor seconds and peak memory of a process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, errors.decode()
    return {
        "wall": time.perf_counter() - began, "processor": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024, "output": output,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?")
    parser.add_argument("--types", default="Q4_K_M")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder")
    parser.add_argument("--command", default=".build/release/edge-llm")
    parser.add_argument("--child")
    options = parser.parse_args()
    if options.child:
        return child(json.loads(options.child))
    print("| type | seconds, llama.cpp : edge-llm | ratio | of the processor | ratio | peak MB | same bytes |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        theirs, ours = os.path.join(folder, "theirs.gguf"), os.path.join(folder, "ours.gguf")
        for name in options.types.split(","):
            measured = {"theirs": [], "ours": []}
            for _ in range(options.rounds):
                request = {"input": options.model, "output": theirs, "type": name, "threads": options.threads}
                result = run([sys.executable, __file__, "--child", json.dumps(request)])
                # Without the time that Python takes to start.
                result["wall"] = json.loads(result["output"])["wall"]
                measured["theirs"].append(result)
                measured["ours"].append(
                    run([options.command, "quantize", options.model, ours, name, "-t", str(options.threads)]))

            def median(who, what):
                return statistics.median(round_[what] for round_ in measured[who])

            wall = median("theirs", "wall"), median("ours", "wall")
            processor = median("theirs", "processor"), median("ours", "processor")
            print(
                f"| {name} | {wall[0]:.1f} : {wall[1]:.1f} | {wall[0] / wall[1]:.2f} "
                f"| {processor[0]:.1f} : {processor[1]:.1f} | {processor[0] / processor[1]:.2f} "
                f"| {median('theirs', 'peak') / 1e6:.0f} : {median('ours', 'peak') / 1e6:.0f} "
                f"| {'yes' if filecmp.cmp(theirs, ours, shallow=False) else 'no'} |", flush=True)


main()
