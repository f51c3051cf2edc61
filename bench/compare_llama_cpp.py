#!/usr/bin/env python3
"""Runs decoder_bench and llama.cpp in turn on one model and prints a table.

    compare_llama_cpp.py BENCH MODEL.gguf [--threads 2] [--rounds 2] [--work DIR]

BENCH is the built decoder_bench. Needs llama-cpp-python. The model is converted to BF16, Q8_0 and
Q4_0 for llama.cpp, beside its own type (--types own BF16 ...); each is tried with llama.cpp's repacked
kernels and, where these crash, without, and with and without flash attention. Programs run one after another, each in its own process, in several rounds; the
median of each figure counts. Figures are said as they come, and after each round the table so far.
"""

import argparse
import collections
import json
import pathlib
import statistics
import subprocess
import sys

BASELINE = pathlib.Path(__file__).with_name("llama_cpp_baseline.py")
TYPES = ["own", "BF16", "Q8_0", "Q4_0"]


def key_of(figure: dict) -> str | None:
    if figure["what"] == "prefill":
        return f"prefill {figure['tokens']}"
    if figure["what"] == "decode":
        return f"decode {figure['sequences']} at {figure['depth']}"
    if figure["what"] == "decode shared":
        return f"decode {figure['sequences']} sharing {figure['depth']}"
    return None


def run(name: str, command: list[str], figures: dict) -> bool:
    """Adds the best of each figure that the command prints to the lists of `figures`, all or none; False where it failed."""
    found = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            figure = json.loads(line)
            key = key_of(figure)
            if key is not None:
                found[key] = max(found.get(key, 0), figure["tokens_per_second"])
            said = f"{key} {figure['tokens_per_second']:,.1f}" if key else line.strip()
            print(f"{name}:", said, file=sys.stderr, flush=True)
    if process.returncode != 0:
        return False
    for key, value in found.items():
        figures[key].append(value)
    return True


def converted(model: str, kind: str, work: pathlib.Path) -> str:
    target = work / f"{pathlib.Path(model).stem}-{kind}.gguf"
    if not target.exists():
        command = [sys.executable, str(BASELINE), model, "--convert", kind, "--to", str(target)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return str(target)


def run_llama_cpp(name: str, path: str, options: list[str], figures: dict) -> None:
    command = [sys.executable, str(BASELINE), path] + options
    if not run(name, command + ["--repack", "1"], figures):
        print(f"{name}: llama.cpp's repacked kernels crashed, going on without", file=sys.stderr)
        run(name, command + ["--repack", "0"], figures)


def print_table(results: dict[str, dict]) -> None:
    names = list(results)
    ours = [name for name in names if name.startswith("reasonrank")]
    others = [name for name in names if name not in ours]
    print("| tokens/s | " + " | ".join(names) + " | our best against theirs |")
    print("|---" * (len(names) + 2) + "|")
    for key in results[names[0]]:
        medians = {name: statistics.median(results[name][key]) for name in names if results[name].get(key)}
        shown = [f"{medians[name]:,.0f}" if name in medians else "-" for name in names]
        rivals = [medians[name] for name in others if name in medians]
        best = max(medians[name] for name in ours)
        ratio = f"{best / max(rivals):.2f}" if rivals else "-"
        print(f"| {key} | " + " | ".join(shown) + f" | {ratio} |")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2, help="runs of each figure in a round, of which the best counts")
    parser.add_argument("--prefill", nargs="*", default=["512", "2783", "4096"])
    parser.add_argument("--depths", nargs="*", default=["128", "2783"])
    parser.add_argument("--batches", nargs="*", default=["4", "8", "16", "32"])
    parser.add_argument("--batch-depth", default="128", help="of each of --batches")
    parser.add_argument("--shared", nargs="*", default=["4096"])
    parser.add_argument("--compute", nargs="*", default=["bf16", "int8", "int4"], help="our ways")
    parser.add_argument("--types", nargs="*", default=TYPES, choices=TYPES, help="llama.cpp's")
    parser.add_argument("--ubatch", nargs="*", default=["512", "256"], help="llama.cpp's, of which the best counts")
    parser.add_argument("--flash", nargs="*", default=["1", "0"], help="the same of its attention")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp"))
    args = parser.parse_args()
    options = ["--threads", str(args.threads), "--repeat", str(args.repeat), "--prefill", *args.prefill]
    options += ["--depths", *args.depths, "--batches", *args.batches]
    options += ["--batch-depth", args.batch_depth]
    options += ["--shared", *args.shared]
    files = {kind: args.model if kind == "own" else converted(args.model, kind, args.work) for kind in args.types}
    names = [f"reasonrank {way}" for way in args.compute] + [f"llama.cpp {name}" for name in files]
    results = {name: collections.defaultdict(list) for name in names}
    for _ in range(args.rounds):
        for way in args.compute:
            name = f"reasonrank {way}"
            run(name, [args.bench, args.model, "--compute", way] + options, results[name])
        for kind, path in files.items():
            theirs = options + ["--ubatch", *args.ubatch, "--flash", *args.flash]
            run_llama_cpp(f"llama.cpp {kind}", path, theirs, results[f"llama.cpp {kind}"])
        print_table(results)


if __name__ == "__main__":
    main()
