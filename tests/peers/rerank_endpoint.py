#!/usr/bin/env python3
"""Reranks through a server that nobody here wrote, and again by hand.

Serves a GGUF model with llama-cpp-python's server (pip install "llama-cpp-python[server]") on
127.0.0.1, runs `reasonrank rerank --endpoint` over data/tiny, then loads the same model in this
process and does without reasonrank what it did: asks each window's prompt of the trace, reads the
order from the reply, slides the window. Replies, orders and final rankings must be the same.

    tests/peers/rerank_endpoint.py build/reasonrank MODEL.gguf
"""

import argparse
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

WINDOW, STRIDE, DEPTH = 6, 3, 9
CONTEXT = 4096
ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_up(url, server, seconds=120):
    end = time.time() + seconds
    while time.time() < end:
        if server.poll() is not None:
            sys.exit("the server ended before it was up")
        try:
            urllib.request.urlopen(url + "/models", timeout=2).read()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("the server did not come up")


def run_reasonrank(program, url, work, extra):
    command = [program, "rerank", "--endpoint", url, "--proxy", "none",
               "--topics", ROOT / "data/tiny/queries.jsonl", "--corpus", ROOT / "data/tiny/corpus.jsonl",
               "--run", ROOT / "data/tiny/bm25.trec", "--depth", DEPTH, "--window", WINDOW,
               "--stride", STRIDE, "--mode", "direct", "--passage-words", 60,
               "--trace", work / "trace.jsonl", "--trace-prompts", "-o", work / "run.trec", *extra]
    subprocess.run([str(part) for part in command], check=True)
    traces = [json.loads(line) for line in open(work / "trace.jsonl")]
    ranking = {}
    for line in open(work / "run.trec"):
        qid, _, docid, *_ = line.split()
        ranking.setdefault(qid, []).append(docid)
    return traces, ranking


def grammar_of(size):
    identifiers = " | ".join(f'"{i}"' for i in range(1, size + 1))
    root = ' " > " '.join(["identifier"] * size)
    return f'root ::= {root}\nidentifier ::= "[" ( {identifiers} ) "]"\n'


def order_in(reply, size):
    """Every number is an identifier; the first naming counts, the rest follows in its old order."""
    named = []
    for number in map(int, re.findall(r"[0-9]+", reply)):
        if 1 <= number <= size and number not in named:
            named.append(number)
    return [i - 1 for i in named] + [i - 1 for i in range(1, size + 1) if i not in named]


def windows_of(count):
    start = max(0, count - WINDOW)
    yield start, count
    end = count
    while start > 0:
        end, start = end - STRIDE, max(0, start - STRIDE)
        yield start, end


def by_hand(llama, llama_cpp, trace, guided):
    docs = [candidate["docid"] for candidate in trace["candidates"]]
    differences = 0
    for window, (start, end) in zip(trace["windows"], windows_of(len(docs)), strict=True):
        shown = docs[start:end]
        assert window["docids"] == shown, "another window, or other passages in it"
        size = len(shown)
        grammar = llama_cpp.LlamaGrammar.from_string(grammar_of(size), verbose=False) if guided else None
        llama.reset()
        reply = llama.create_chat_completion(messages=window["messages"], temperature=0,
                                             max_tokens=9 * size + 16, grammar=grammar)
        text = reply["choices"][0]["message"]["content"]
        if text != window["response"]:
            differences += 1
            print(f"topic {trace['qid']}, ranks {start + 1}-{end}:\n  served  {window['response']!r}"
                  f"\n  by hand {text!r}")
        docs[start:end] = [shown[i] for i in order_in(text, size)]
    return docs, differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("model")
    arguments = parser.parse_args()
    import llama_cpp

    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", "--model", arguments.model, "--model_alias", "peer",
         "--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    failures = 0
    try:
        url = f"http://127.0.0.1:{port}/v1"
        wait_until_up(url, server)
        llama = llama_cpp.Llama(arguments.model, n_ctx=CONTEXT, verbose=False)
        for guided in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                traces, rankings = run_reasonrank(arguments.program, url, pathlib.Path(folder),
                                                  [] if guided else ["--no-guide"])
            different_replies = different_rankings = windows = 0
            for trace in traces:
                docs, differences = by_hand(llama, llama_cpp, trace, guided)
                windows += len(trace["windows"])
                different_replies += differences
                different_rankings += docs != rankings[trace["qid"]]
            print(f"{'constrained' if guided else 'free'}: {len(traces)} topics, {windows} windows: "
                  f"{different_replies} replies and {different_rankings} rankings differ")
            failures += different_replies + different_rankings
    finally:
        server.kill()
        server.wait()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
