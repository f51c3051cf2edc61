#!/usr/bin/env python3
"""First stage against bm25s and tantivy: queries a second, documents a second, memory and size.

    python3 -m venv venv && venv/bin/pip install bm25s numba PyStemmer tantivy
    venv/bin/python bench/first_stage_peers.py build/release/bin/reasonrank --data ../shared/data \
        --work /tmp/first-stage

makes the corpora of NFCorpus, SciFact and a million generated passages (make_corpus.py) once under
--work, has every program index and search them, and prints two tables. Two threads for each, k =
100, the best of --rounds. What is timed is the same: from queries as text to a TREC run in a file,
the index open; from a file of JSON lines to an index that is synced and can be opened, with the
texts stored (bm25s stores none).

All analyze alike: lower case, English stop words, a Porter stemmer. tantivy keeps documents and
frequencies, no positions, and gets docids from memory by a fast field, not from its store; its
queries go through its parser. bm25s runs its numba backend, warm. CPU time counts all threads; on
a machine with other work on it, trust that and not the wall clock.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

THREADS = 2
DEPTH = 100
HEAP_BYTES = 1 << 30
MIN_QUERIES = {"scifact": 6000, "nfcorpus": 12920, "short": 1000, "long": 200}


# ---- what is indexed and asked


def collection(folder, source, topics):
    """One layout for all: corpus.jsonl with n, docid and text, topics.tsv."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "corpus.jsonl").exists():
        with open(source) as lines, open(folder / "corpus.tmp", "w") as out:
            for n, line in enumerate(lines):
                record = json.loads(line)
                text = f"{record.get('title') or ''}\n{record['text']}".strip()
                out.write(json.dumps({"n": n, "docid": record["_id"], "text": text}) + "\n")
        (folder / "corpus.tmp").rename(folder / "corpus.jsonl")
    for name, path in topics.items():
        asked = [line.rstrip("\n").split("\t", 1) for line in open(path)]
        with open(folder / f"{name}.tsv", "w") as out:
            for i in range(max(len(asked), MIN_QUERIES[name])):
                qid, query = asked[i % len(asked)]
                out.write(f"{qid}.{i}\t{query}\n")
    return folder


def make_collections(options):
    data, work = options.data, options.work
    made = work / "generated"
    if "million" in options.collections and not (made / "done").exists():
        maker = pathlib.Path(__file__).parent / "make_corpus.py"
        subprocess.run([sys.executable, maker, "--data", data, "-n", str(options.passages), "-o",
                        made], check=True)
        (made / "done").touch()
    sources = {
        "NFCorpus": (data / "beir-nfcorpus/corpus.jsonl",
                     {"nfcorpus": data / "beir-nfcorpus/queries.test.tsv"}),
        "SciFact": (data / "beir-scifact/corpus.jsonl",
                    {"scifact": data / "beir-scifact/queries.test.tsv"}),
        "million": (made / "corpus.jsonl",
                    {"short": made / "short.tsv", "long": made / "long.tsv"}),
    }
    return {title: collection(work / title.lower(), *sources[title])
            for title in options.collections}


def read_topics(path):
    return [line.rstrip("\n").split("\t", 1) for line in open(path)]


def write_run(path, qid, docids, scores, tag):
    for rank, (docid, score) in enumerate(zip(docids, scores)):
        path.write(f"{qid} Q0 {docid} {rank + 1} {score:.6f} {tag}\n")


def docids_of(folder):
    return [json.loads(line)["docid"] for line in open(folder / "corpus.jsonl")]


# ---- tantivy


def tantivy_index(folder):
    import tantivy
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("n", stored=False, indexed=False, fast=True)
    builder.add_text_field("docid", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", stored=True, tokenizer_name="english", index_option="freq")
    path = folder / "tantivy.idx"
    if not path.exists():
        path.mkdir()
    index = tantivy.Index(builder.build(), path=str(path))
    analyzer = (tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
                .filter(tantivy.Filter.lowercase()).filter(tantivy.Filter.stopword("english"))
                .filter(tantivy.Filter.stemmer("english")).build())
    index.register_tokenizer("english", analyzer)
    return index


def job_tantivy_index(folder):
    shutil.rmtree(folder / "tantivy.idx", ignore_errors=True)
    writer = tantivy_index(folder).writer(heap_size=HEAP_BYTES, num_threads=THREADS)
    with open(folder / "corpus.jsonl") as lines:
        for line in lines:
            writer.add_json(line)
    writer.commit()
    writer.wait_merging_threads()


tantivy_state = {}


def tantivy_open(folder):
    index = tantivy_index(folder)
    index.reload()
    tantivy_state.update(index=index, searcher=index.searcher(), docids=docids_of(folder))


def tantivy_search(task):
    topics, path = task
    index, searcher, docids = (tantivy_state[k] for k in ("index", "searcher", "docids"))
    start = time.process_time()
    with open(path, "w") as run:
        for qid, text in topics:
            query = index.parse_query(re.sub(r"\W+", " ", text), ["text"])
            hits = searcher.search(query, DEPTH, count=False).hits
            numbers = searcher.fast_field_values("n", [address for _, address in hits])
            write_run(run, qid, [docids[n] for n in numbers], [s for s, _ in hits], "tantivy")
    return time.process_time() - start


def job_tantivy_search(folder, name):
    topics = read_topics(folder / f"{name}.tsv")
    tasks = [(topics[i::THREADS], folder / f"tantivy.{i}.trec") for i in range(THREADS)]
    with multiprocessing.Pool(THREADS, tantivy_open, (folder,)) as pool:
        pool.map(tantivy_search, [(t[:20], p) for t, p in tasks], chunksize=1)
        start = time.monotonic()
        cpu = sum(pool.map(tantivy_search, tasks, chunksize=1))
        return {"seconds": time.monotonic() - start, "cpu": cpu, "queries": len(topics)}


# ---- bm25s


def bm25s_tokens(texts):
    import bm25s
    import Stemmer
    return bm25s.tokenize(texts, stopwords="en", stemmer=Stemmer.Stemmer("porter"),
                          show_progress=False)


def job_bm25s_index(folder):
    import bm25s
    texts = [json.loads(line)["text"] for line in open(folder / "corpus.jsonl")]
    retriever = bm25s.BM25(method="lucene", k1=0.9, b=0.4, backend="numba")
    retriever.index(bm25s_tokens(texts), show_progress=False)
    retriever.save(folder / "bm25s.idx")


def job_bm25s_search(folder, name):
    import bm25s
    retriever = bm25s.BM25.load(folder / "bm25s.idx", load_corpus=False)
    retriever.backend = "numba"
    docids = docids_of(folder)

    def search(topics):
        tokens = bm25s_tokens([query for _, query in topics])
        found, scores = retriever.retrieve(tokens, k=DEPTH, n_threads=THREADS, sorted=True,
                                           show_progress=False)
        with open(folder / "bm25s.trec", "w") as run:
            for (qid, _), row, values in zip(topics, found.tolist(), scores.tolist()):
                write_run(run, qid, [docids[n] for n in row], values, "bm25s")

    topics = read_topics(folder / f"{name}.tsv")
    search(topics[:20])
    start, cpu = time.monotonic(), time.process_time()
    search(topics)
    return {"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu,
            "queries": len(topics)}


# ---- reasonrank, and running them all


def measured(command):
    """Seconds, CPU seconds and peak bytes of a command, and what it said on standard error."""
    start = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    out, err = process.communicate()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        sys.exit(f"{command} failed: {err}")
    return {"seconds": time.monotonic() - start, "out": out, "err": err,
            "usage": (usage.ru_utime + usage.ru_stime)}


def alone(command):
    """The same with the CPU time and memory of this command alone: in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = measured(command)
        result["peak"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        with os.fdopen(writer, "w") as pipe:
            pipe.write(json.dumps(result))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        sys.exit("stopped")
    return json.loads(text)


def own_index(program, folder, memory):
    return alone([program, "index", folder / "corpus.jsonl", "-o", folder / "own.idx", "--threads",
                  THREADS, "--memory", memory])


def own_search(program, folder, name):
    topics = folder / f"{name}.tsv"
    one = folder / "one.tsv"
    one.write_text(open(topics).readline())
    base = [program, "search", folder / "own.idx", "-k", DEPTH, "--threads", THREADS, "-o",
            folder / "own.trec", "--topics"]
    opening = alone(base + [one])["usage"]
    whole = alone(base + [topics])
    seconds = float(re.search(r"searched and written in ([\d.]+) s", whole["err"]).group(1))
    return {"seconds": seconds, "cpu": whole["usage"] - opening,
            "queries": len(read_topics(topics))}


def job(*parts):
    return alone([sys.executable, __file__, "--job", *parts])


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def search_row(options, title, folder, name):
    sides = {
        "reasonrank": lambda: own_search(options.program, folder, name),
        "tantivy": lambda: json.loads(job("tantivy_search", folder, name)["out"]),
        "bm25s": lambda: json.loads(job("bm25s_search", folder, name)["out"]),
    }
    best = {}
    for _ in range(options.rounds):
        for side in options.sides:
            result = sides[side]()
            wall, cpu = result["queries"] / result["seconds"], result["queries"] / result["cpu"]
            before = best.get(side, (0, 0))
            best[side] = (max(before[0], wall), max(before[1], cpu))
    own = best["reasonrank"]
    cells = [f"{best[s][0]:,.0f} ({best[s][1]:,.0f})" if s in best else "" for s in sides]
    cells += [f"{own[0] / best[s][0]:.1f} ({own[1] / best[s][1]:.1f})" if s in best else ""
              for s in ("tantivy", "bm25s")]
    print("| " + " | ".join([title] + cells) + " |", flush=True)


def index_rows(options, title, folder):
    count = sum(1 for _ in open(folder / "corpus.jsonl"))
    sides = {
        "reasonrank": lambda: own_index(options.program, folder, options.memory),
        "tantivy": lambda: job("tantivy_index", folder),
        "bm25s": lambda: job("bm25s_index", folder),
    }
    paths = {"reasonrank": "own.idx", "tantivy": "tantivy.idx", "bm25s": "bm25s.idx"}
    for side in options.sides:
        rounds = options.rounds if count < 100_000 and side != "bm25s" else 1
        results = [sides[side]() for _ in range(rounds)]
        seconds = min(r["seconds"] for r in results)
        cpu = min(r["usage"] for r in results)
        peak = statistics.median(r["peak"] for r in results)
        print(f"| {title}, {side} | {count / seconds:,.0f} | {count / cpu:,.0f} | "
              f"{peak / 1e6:,.0f} | {size_of(folder / paths[side]) / 1e6:,.1f} |", flush=True)


def main():
    if sys.argv[1:2] == ["--job"]:
        name, folder, *rest = sys.argv[2:]
        result = globals()[f"job_{name}"](pathlib.Path(folder), *rest)
        print(json.dumps(result))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="the binary reasonrank")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the shared collections")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="a folder to work in")
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--memory", default="1G", help="of our index builder")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--collections", nargs="+", default=["NFCorpus", "SciFact", "million"])
    parser.add_argument("--sides", nargs="+", default=["reasonrank", "tantivy", "bm25s"])
    parser.add_argument("--keep-indexes", action="store_true", help="measure searching only")
    options = parser.parse_args()
    options.data, options.work = options.data.resolve(), options.work.resolve()
    made = make_collections(options)
    if not options.keep_indexes:
        print("| indexing | documents/s | documents/CPU s | peak MB | index MB |")
        print("|---|---|---|---|---|", flush=True)
        for title in options.collections:
            index_rows(options, title, made[title])
        print()
    print("| queries/s (queries/CPU s) | reasonrank | tantivy | bm25s | of tantivy | of bm25s |")
    print("|---|---|---|---|---|---|", flush=True)
    rows = {"NFCorpus": ["nfcorpus"], "SciFact": ["scifact"], "million": ["short", "long"]}
    for title in options.collections:
        for name in rows[title]:
            label = f"{title}, {name} queries" if len(rows[title]) > 1 else title
            search_row(options, label, made[title], name)


if __name__ == "__main__":
    main()
