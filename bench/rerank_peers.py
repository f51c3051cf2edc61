#!/usr/bin/env python3
"""Times the whole program with its own engine and with llama.cpp, in turn, on the same prompts.

    rerank_peers.py PROGRAM MODEL.gguf --topics T.jsonl --corpus C --run R [--count 64] [--rounds 5]

PROGRAM is a reasonrank built with llama.cpp (docs/engines.md). Needs the Python packages llama-cpp-python
and numpy. Three measurements:

- windows a minute, constrained and free: one window of 20 passages of 100 tokens for each of the
  first --count topics of the run, 128 tokens of thoughts, the answer under a constraint or not; greedy,
  all in flight. Of the whole command, start included.
- samples: tokens a second of 8 samples of 200 tokens behind the same 2,600 (`reasonrank bench`).

Both sides in bf16; windows under a constraint also by --fastest, our ways, and --types, llama.cpp's: the
best of each side counts. Figures are medians over the rounds, a ratio is the median of the rounds' ratios,
with the least and the greatest; memory is the most that a process took.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from compare_llama_cpp import converted

BASE = "BF16"


def cut(options: argparse.Namespace, folder: pathlib.Path) -> list:
    """Writes the first topics of the run; gives what rerank is to read."""
    kept = {}
    with open(options.run, encoding="utf-8") as lines, open(folder / "run.trec", "w", encoding="utf-8") as out:
        for line in lines:
            qid = line.split()[0]
            if qid not in kept and len(kept) == options.count:
                break
            kept[qid] = True
            out.write(line)
    with open(options.topics, encoding="utf-8") as lines, open(folder / "topics.jsonl", "w", encoding="utf-8") as out:
        out.writelines(line for line in lines if json.loads(line)["_id"] in kept)
    return ["--topics", folder / "topics.jsonl", "--corpus", options.corpus, "--run", folder / "run.trec"]


def timed(command: list) -> tuple[str, float, float]:
    """What it printed, seconds, and peak memory in GiB."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=printed, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        printed.seek(0)
        errors.seek(0)
        if status != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{errors.read()}")
        return printed.read(), seconds, usage.ru_maxrss / 2**20


class Table:
    """The figures of each measurement, each side's, a round's at the same place."""

    def __init__(self):
        self.rows = {}

    def add(self, what: str, side: str, speed: float, memory: float) -> None:
        print(f"{what}, {side}: {speed:.1f}, {memory:.2f} GiB", file=sys.stderr, flush=True)
        self.rows.setdefault(what, {}).setdefault(side, []).append((speed, memory))

    def best(self, what: str, sides: list[str]) -> str:
        return max(sides, key=lambda side: statistics.median(speed for speed, _ in self.rows[what][side]))

    def shown(self, what: str, side: str) -> str:
        speeds, memories = zip(*self.rows[what][side])
        return f"{side} | {statistics.median(speeds):.1f} | {max(memories):.2f} GiB"

    def line(self, name: str, what: str, ours: list[str], theirs: list[str]) -> str:
        mine, other = self.best(what, ours), self.best(what, theirs)
        pairs = zip(self.rows[what][mine], self.rows[what][other])
        ratios = [mine_speed / other_speed for (mine_speed, _), (other_speed, _) in pairs]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        return f"| {name} | {self.shown(what, mine)} | {self.shown(what, other)} | {spread} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--topics", required=True, help="JSONL")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--count", type=int, default=64, help="topics")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fastest", nargs="*", default=["int8", "int4"], help="our ways beside bf16")
    parser.add_argument("--types", nargs="*", default=["Q4_0", "Q8_0"], help="llama.cpp's beside BF16")
    parser.add_argument("--skip", nargs="*", default=[], choices=["constrained", "free", "samples"])
    parser.add_argument("--no-speculation", action="store_true", help="no drafts of ours: for a model of random weights, which repeats itself")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp"), help="where converted models go")
    options = parser.parse_args()
    kinds = [BASE, *options.types]
    files = {kind: converted(options.model, kind, options.work) for kind in kinds}
    own = {way: ["--model", options.model, "--compute", way] for way in ["bf16", *options.fastest]}
    if options.no_speculation:
        own = {way: [*extra, "--no-speculation"] for way, extra in own.items()}
    sides = {f"own {way}": extra for way, extra in own.items()}
    sides |= {f"llama.cpp {kind}": ["--engine", "llama.cpp", "--model", file] for kind, file in files.items()}
    base = ["own bf16", f"llama.cpp {BASE}"]
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        window = [options.program, "rerank", *cut(options, folder), "--depth", "20", "--passage-tokens", "100",
                  "--max-thinking", "128", "--in-flight", options.count, "-o", folder / "out.trec", "--restart"]
        work = {"constrained": (list(sides), window), "free": (base, [*window, "--free-answer"]),
                "samples": (base, [options.program, "bench", "--repeat", "0", "--topics", "0"])}
        for _ in range(options.rounds):
            for what, (names, command) in work.items():
                for side in names if what not in options.skip else []:
                    printed, seconds, memory = timed([*command, *sides[side]])
                    if what == "samples":
                        speed = float(re.search(r"its reading +([\d.,]+)", printed)[1].replace(",", ""))
                    else:
                        speed = options.count / seconds * 60
                    table.add(what, side, speed, memory)
    print("| | own | | peak | llama.cpp | | peak | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for what in table.rows:
        print(table.line(what, what, base[:1], base[1:]))
    if "constrained" in table.rows:
        ours = [side for side in sides if side.startswith("own")]
        print(table.line("constrained, each one's fastest", "constrained", ours, [side for side in sides if side not in ours]))


if __name__ == "__main__":
    main()
