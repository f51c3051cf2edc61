#!/usr/bin/env python3
"""Times `reasonrank evaluate` on a run of a million lines against the Python tools.

    pip install pytrec_eval-terrier ir_measures
    evaluate_peers.py build/release/bin/reasonrank

The run has 1,000 topics of 1,000 documents in order of score, the qrels 200 judgements a topic, 60
of them retrieved; seeded. Prints processor seconds (user and system) and peak memory of each
program, start included, best of three.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile

MEASURES = ("AP,nDCG,nDCG@5,nDCG@10,nDCG@20,nDCG@100,nDCG@1000,P@5,P@10,P@20,P@100,R@5,R@10,R@100,"
            "R@1000,AP@10,AP@100,AP@1000,RR,Rprec,Success@1,Success@5,Success@10,Bpref,SetP,SetR,"
            "SetF,SetAP")

PYTREC_EVAL = """
import pytrec_eval
qrels = pytrec_eval.parse_qrel(open('qrels.txt'))
run = pytrec_eval.parse_run(open('big.trec'))
measures = {'map', 'ndcg', 'ndcg_cut_5,10,20,100,1000', 'P_5,10,20,100', 'recall_5,10,100,1000',
            'map_cut_10,100,1000', 'recip_rank', 'Rprec', 'success_1,5,10', 'bpref', 'set_P',
            'set_recall', 'set_F', 'set_map'}
pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
"""

IR_MEASURES = f"""
import ir_measures
measures = [ir_measures.parse_measure(name) for name in '{MEASURES}'.split(',')]
ir_measures.calc_aggregate(measures, ir_measures.read_trec_qrels('qrels.txt'),
                           ir_measures.read_trec_run('big.trec'))
"""


def write_inputs(folder):
    rng = random.Random(5)
    with open(folder / "big.trec", "w") as run, open(folder / "qrels.txt", "w") as qrels:
        for topic in range(1000):
            docs = rng.sample(range(8_800_000), 1000)
            score = 30.0
            for rank, doc in enumerate(docs, 1):
                score -= rng.random() * 0.01
                run.write(f"{topic} Q0 doc{doc} {rank} {score:.6f} big\n")
            others = set(rng.sample(range(8_800_000), 140)) - set(docs)
            for doc in rng.sample(docs, 60) + sorted(others):
                qrels.write(f"{topic} 0 doc{doc} {rng.choice([0, 0, 0, 1, 1, 2, 3])}\n")


def cost_of(command, folder):
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_inputs(folder)
        print(f"run: {(folder / 'big.trec').stat().st_size / 2**20:.0f} MiB, 28 measures")
        commands = {
            "reasonrank": [program, "evaluate", "qrels.txt", "big.trec", "-m", MEASURES],
            "pytrec_eval": [sys.executable, "-c", PYTREC_EVAL],
            "ir_measures": [sys.executable, "-c", IR_MEASURES],
        }
        ours = None
        for tool, command in commands.items():
            seconds, mebibytes = min(cost_of(command, folder) for _ in range(3))
            ours = ours or seconds
            print(f"{tool:12} {seconds:6.2f} s  {mebibytes:5.0f} MiB  {seconds / ours:4.1f}x")


main()
