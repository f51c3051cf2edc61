#!/usr/bin/env python3
"""Reranks through a server that speaks HTTP/2, which nobody here wrote (hypercorn), and prints what it saw.

    pip install hypercorn
    tests/peers/http2_endpoint.py build/release/bin/reasonrank [CONCURRENCY]

The answers are scripted. Passes where every request came as HTTP/2 and far fewer connections than requests were made.
"""
import asyncio
import json
import pathlib
import subprocess
import sys
import tempfile

import hypercorn.asyncio
import hypercorn.config

TOPICS, PASSAGES = 600, 10


class Server:
    """An ASGI application with the two calls that rerank makes."""

    def __init__(self):
        self.versions = []
        self.connections = set()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.versions.append(scope["http_version"])
        self.connections.add(tuple(scope["client"]))
        while (await receive()).get("more_body"):
            pass
        reply = {"data": [{"id": "m", "owned_by": "peer"}]}
        if scope["method"] == "POST":
            await asyncio.sleep(0.2)
            order = " > ".join(f"[{i}]" for i in range(PASSAGES, 0, -1))
            reply = {"choices": [{"message": {"role": "assistant", "content": order}, "finish_reason": "stop"}],
                     "usage": {"prompt_tokens": 1000, "completion_tokens": 50}}
        body = json.dumps(reply).encode()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


def write_requests(work):
    candidates = [{"docid": f"d{i}", "score": PASSAGES - i, "doc": {"text": f"passage {i}"}} for i in range(PASSAGES)]
    requests = [{"query": {"qid": f"q{i}", "text": f"question {i}"}, "candidates": candidates} for i in range(TOPICS)]
    (work / "requests.json").write_text(json.dumps(requests))


def make_certificate(work):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", work / "key.pem", "-out", work / "certificate.pem", "-days", "1", "-subj", "/CN=peer",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)


async def run(program, concurrency, work):
    config = hypercorn.config.Config()
    config.bind = ["127.0.0.1:18443"]
    config.certfile, config.keyfile = str(work / "certificate.pem"), str(work / "key.pem")
    server, stop = Server(), asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(server, config, shutdown_trigger=stop.wait))
    await asyncio.sleep(1)
    process = await asyncio.create_subprocess_exec(
        program, "rerank", "--endpoint", "https://127.0.0.1:18443/v1", "--ca-file", work / "certificate.pem", "--proxy",
        "none", "--concurrency", str(concurrency), "--requests", work / "requests.json", "--mode", "direct", "-o",
        work / "out.trec")
    exit_code = await process.wait()
    stop.set()
    await serving
    print(f"{len(server.versions)} requests, {concurrency} at once, over {len(server.connections)} connections; "
          f"HTTP versions {sorted(set(server.versions))}")
    return exit_code == 0 and set(server.versions) == {"2"} and len(server.connections) < concurrency / 4


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        write_requests(work)
        make_certificate(work)
        concurrency = int(sys.argv[2]) if len(sys.argv) > 2 else 64
        sys.exit(0 if asyncio.run(run(sys.argv[1], concurrency, work)) else 1)


if __name__ == "__main__":
    main()
