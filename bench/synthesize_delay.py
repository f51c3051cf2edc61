#!/usr/bin/env python3
"""Synthesis with a teacher that answers each question after a fixed delay: throughput and memory.

    bench/synthesize_delay.py build/release/bin/reasonrank [TOPICS] [CONCURRENCY] [DELAY_MS]

Starts a server on 127.0.0.1, makes topics of 20 passages (1.5 kB each), runs `reasonrank synthesize --teacher`, and
prints the requests a second between a tenth and nine tenths of the topics against what the delay allows, and the
memory at these two moments.
"""
import asyncio
import json
import multiprocessing
import pathlib
import re
import subprocess
import sys
import tempfile
import time

PASSAGES = 20
REQUESTS_A_TOPIC = 2  # a selection and a ranking


def reply_to(body):
    listed = re.search(rb"Rank the (\d+) passages", body[-2000:])
    text = "[2] [5]"
    if listed:
        text = "<think>t</think>" + " > ".join(f"[{i}]" for i in range(int(listed[1]), 0, -1))
    return {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 8000, "completion_tokens": 100}}


def serve(delay_s, address):
    async def answer(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: (\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
                reply = {"data": [{"id": "m", "owned_by": "bench"}]}
                if body:
                    await asyncio.sleep(delay_s)
                    reply = reply_to(body)
                data = json.dumps(reply).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                             % len(data) + data)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048, limit=1 << 22)
        address.put(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await server.serve_forever()

    asyncio.run(run())


def write_inputs(work, topics):
    with open(work / "corpus.jsonl", "w") as corpus:
        for i in range(4000):
            corpus.write(json.dumps({"_id": f"d{i}", "text": f"passage {i} " + "some words of a passage " * 62}) + "\n")
    with open(work / "topics.jsonl", "w") as queries, open(work / "run.trec", "w") as run:
        for i in range(topics):
            queries.write(json.dumps({"_id": f"t{i}", "text": f"question {i}", "solution": "a proof " * 30}) + "\n")
            for rank in range(PASSAGES):
                run.write(f"t{i} Q0 d{(i * 7 + rank * 13) % 4000} {rank + 1} {100 - rank} bench\n")


def memory_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def watch(program, journal, topics):
    """(time, topics done, memory) at a tenth and at nine tenths."""
    seen = []
    done = -1  # its first line is of the run
    while not journal.exists() and program.poll() is None:
        time.sleep(0.02)
    with open(journal, "rb") as lines:
        while program.poll() is None and len(seen) < 2:
            done += lines.read().count(b"\n")
            if done >= topics * (0.1, 0.9)[len(seen)]:
                seen.append((time.time(), done, memory_mib(program.pid)))
            time.sleep(0.02)
    return seen


def main():
    program = sys.argv[1]
    topics, concurrency, delay_ms = (int(value) for value in (sys.argv[2:] + ["2000", "256", "500"][len(sys.argv) - 2:]))
    address = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(delay_ms / 1000, address), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_inputs(work, topics)
        start = time.time()
        running = subprocess.Popen(
            [program, "synthesize", "--domain", "math-theorem", "--topics", work / "topics.jsonl", "--corpus",
             work / "corpus.jsonl", "--run", work / "run.trec", "--teacher", address.get(), "--proxy", "none",
             "--concurrency", str(concurrency), "--in-flight", str(concurrency), "-o", work / "out"],
            stderr=subprocess.DEVNULL)
        seen = watch(running, work / "out/synthesis.partial", topics)
        if running.wait() != 0 or len(seen) < 2:
            sys.exit("the synthesis failed, or was over too soon to be measured")
        seconds = time.time() - start
    (first_s, first, first_mib), (last_s, last, last_mib) = seen
    reached = (last - first) * REQUESTS_A_TOPIC / (last_s - first_s)
    allowed = concurrency / (delay_ms / 1000)
    print(f"{topics} topics, {concurrency} at once, {delay_ms} ms each: {seconds:.1f} s in all; {reached:.0f} requests "
          f"a second, {100 * reached / allowed:.1f} % of what the delay allows")
    print(f"resident: {first_mib:.0f} MiB at a tenth, {last_mib:.0f} MiB at nine tenths")


if __name__ == "__main__":
    main()
