#!/usr/bin/env python3
"""Holds `reasonrank evaluate` against trec_eval's own code on hard inputs.

    pip install pytrec_eval-terrier
    compare_trec_eval.py build/release/bin/reasonrank

pytrec_eval wraps trec_eval's C code. Inputs are made up, seeded: grades from -2 to 4, rankings up to
10,000 deep, a run of a million lines, ties, scores that differ only as 64-bit numbers, lines in no
order, topics that only one of the two files has. Every value of every topic is compared, to 1e-12.
Prints the number of values; fails at the first difference.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import pytrec_eval

CUTOFFS = (5, 10, 15, 20, 30, 100, 200, 500, 1000)
NAMES = {"map": "AP", "ndcg": "nDCG", "recip_rank": "RR", "Rprec": "Rprec", "bpref": "Bpref",
         "set_P": "SetP", "set_recall": "SetR", "set_F": "SetF", "set_map": "SetAP",
         "set_relative_P": "SetRelP"}
CUT_NAMES = {"P": "P", "recall": "R", "ndcg_cut": "nDCG", "map_cut": "AP"}
for theirs, ours in CUT_NAMES.items():
    NAMES.update({f"{theirs}_{k}": f"{ours}@{k}" for k in CUTOFFS})
NAMES.update({f"success_{k}": f"Success@{k}" for k in (1, 5, 10)})


def lines_of_run(rng, topics, depth, scores):
    for topic in range(topics):
        docs = rng.sample(range(4 * depth), depth)
        lines = [f"q{topic} Q0 d{doc} {rank} {scores(rank, depth)} t"
                 for rank, doc in enumerate(docs, 1)]
        rng.shuffle(lines)
        yield from lines


def lines_of_qrels(rng, topics, depth, grades):
    for topic in range(1, topics + 2):  # q0 has none, the last has no ranking
        for doc in rng.sample(range(4 * depth), min(4 * depth, max(20, depth // 5))):
            yield f"q{topic} 0 d{doc} {rng.choice(grades)}"


def cases():
    rng = random.Random(7)
    falling = lambda rank, depth: f"{depth - rank + rng.random():.6f}"
    tied = lambda rank, depth: rng.randrange(5)
    close = lambda rank, depth: repr(1000 + rng.random() * 1e-4)  # equal as 32-bit numbers, mostly
    graded = [-2, -1, 0, 0, 0, 1, 2, 3, 4]
    yield "negative grades", rng, 200, 100, falling, graded
    yield "ties", rng, 200, 100, tied, graded
    yield "scores closer than 32 bits", rng, 200, 100, close, graded
    yield "10,000 deep", rng, 20, 10_000, falling, graded
    yield "short rankings", rng, 500, 3, falling, [-1, 0, 1]
    yield "nothing relevant", rng, 50, 20, falling, [0, 0, 0, 0, -1]
    yield "a million lines", rng, 500, 2_000, falling, graded


def theirs_of(run_path, qrels_path):
    with open(qrels_path) as qrels, open(run_path) as run:
        evaluator = pytrec_eval.RelevanceEvaluator(
            pytrec_eval.parse_qrel(qrels), pytrec_eval.supported_measures - {"relstring"})
        return evaluator.evaluate(pytrec_eval.parse_run(run))


def ours_of(program, run_path, qrels_path):
    names = ",".join(sorted(set(NAMES.values())))
    command = [program, "evaluate", str(qrels_path), str(run_path), "-m", names, "--per-topic",
               "--format", "json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output)["runs"][0]["per_topic"]


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        run_path, qrels_path = pathlib.Path(name) / "run.trec", pathlib.Path(name) / "qrels.txt"
        total = 0
        for title, rng, topics, depth, scores, grades in cases():
            run_path.write_text("\n".join(lines_of_run(rng, topics, depth, scores)) + "\n")
            qrels_path.write_text("\n".join(lines_of_qrels(rng, topics, depth, grades)) + "\n")
            theirs = theirs_of(run_path, qrels_path)
            ours = ours_of(program, run_path, qrels_path)
            if set(theirs) != set(ours):
                sys.exit(f"{title}: other topics: {sorted(set(theirs) ^ set(ours))[:5]}")
            count = 0
            for qid, values in ours.items():
                for their_name, our_name in NAMES.items():
                    if their_name not in theirs[qid]:
                        continue
                    count += 1
                    a, b = values[our_name], theirs[qid][their_name]
                    if abs(a - b) > 1e-12:
                        sys.exit(f"{title}: topic {qid}, {our_name}: {a}, trec_eval {b}")
            print(f"{title}: {len(ours)} topics, {count} values, 0 differ", flush=True)
            total += count
        print(f"all: {total} values, 0 differ")


main()
