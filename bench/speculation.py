#!/usr/bin/env python3
"""Times one sequence that decodes with drafts and without (--no-speculation), in turn, on text that
is quoted and on text that is drawn at temperature 1, and checks that both write the same.

    speculation.py REASONRANK COLLECTION [--compute bf16] [--rounds 3] [--tokens 256]

COLLECTION is a folder with a corpus.jsonl, such as data/tiny; six prompts hold five passages of it
each. Prints, for each kind of text, tokens a second (medians over prompts and rounds) and the
median over the prompts of their ratio.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile

PROMPTS = 6
PASSAGES = 5
KINDS = {
    "quoted": ("Repeat the following text exactly, word by word.\n\n{}", "0"),
    "drawn": ("{}\n\nWrite a story that has nothing to do with this text.", "1"),
}


def passages(collection: pathlib.Path) -> list[str]:
    with open(collection / "corpus.jsonl", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [" ".join(texts[7 * i : 7 * i + PASSAGES]) for i in range(PROMPTS)]


def generate(options: argparse.Namespace, prompt: str, temperature: str, extra: list[str]):
    """What was written, tokens a second, tokens drafted and right."""
    line = json.dumps({"messages": [{"role": "user", "content": prompt}]})
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        command = [options.reasonrank, "model", "generate", file.name, "--stats"]
        command += ["--compute", options.compute, "--max-tokens", str(options.tokens)]
        command += ["--temperature", temperature, "--seed", "1"] + extra
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = re.search(r"steps that write: \d+ steps in ([\d.]+) s; (\d+) written", done.stderr)
    drafts = re.search(r"drafts: (\d+) tokens guessed and read, (\d+)", done.stderr)
    counts = (int(drafts[1]), int(drafts[2])) if drafts else (0, 0)
    return done.stdout, int(steps[2]) / float(steps[1]), counts


def measure(options: argparse.Namespace, kind: str) -> None:
    form, temperature = KINDS[kind]
    speeds = {"with": [], "without": []}
    ratios = []
    drafted = right = 0
    for text in passages(options.collection):
        here = []
        for _ in range(options.rounds):
            written, fast, counts = generate(options, form.format(text), temperature, [])
            same, slow, _ = generate(options, form.format(text), temperature, ["--no-speculation"])
            assert written == same, "drafts changed what was written"
            speeds["with"].append(fast)
            speeds["without"].append(slow)
            here.append(fast / slow)
        drafted += counts[0]
        right += counts[1]
        ratios.append(statistics.median(here))
    fast, slow = (statistics.median(speeds[name]) for name in ("with", "without"))
    print(
        f"{kind}, {options.compute}: {fast:.0f} tokens/s with drafts, {slow:.0f} without; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"{right} of {drafted} drafted tokens right",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reasonrank")
    parser.add_argument("collection", type=pathlib.Path)
    parser.add_argument("--compute", default="bf16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=256)
    options = parser.parse_args()
    for kind in KINDS:
        measure(options, kind)


if __name__ == "__main__":
    main()
