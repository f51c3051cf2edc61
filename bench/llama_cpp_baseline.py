#!/usr/bin/env python3
"""Times llama.cpp on the same work as decoder_bench, for comparison.

Needs the Python package llama-cpp-python. Prints one JSON object a line:
{"what": "prefill", "tokens": 512, "tokens_per_second": ..., "flash": 1, "ubatch": 512} and
{"what": "decode", "depth": 128, "sequences": 1, "tokens_per_second": ..., ...}.

Each figure is the best of --repeat runs, and comes for each of --flash and --ubatch, none of which is
the fastest everywhere. Tokens are pseudo-random, as in decoder_bench: the speed of a dense model does
not depend on them.
"""

import argparse
import ctypes
import json
import sys
import time

import numpy as np

import llama_cpp as ll

FILE_TYPES = {
    "BF16": ll.LLAMA_FTYPE_MOSTLY_BF16,
    "Q8_0": ll.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q4_0": ll.LLAMA_FTYPE_MOSTLY_Q4_0,
}


def quantize(source: str, target: str, file_type: str, threads: int) -> None:
    """Writes `source` again with its matrices in another type."""
    params = ll.llama_model_quantize_default_params()
    params.nthread = threads
    params.ftype = FILE_TYPES[file_type]
    params.allow_requantize = True
    # The output layer of a tied model would stay in the type of the embedding otherwise.
    params.pure = file_type == "BF16"
    if ll.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)) != 0:
        sys.exit(f"{source}: could not be converted to {file_type}")


class Engine:
    # shares: sequences have cells in common, which only one buffer for all can do; separate ones
    # are faster with a buffer each.
    def __init__(self, args, context: int, sequences: int, flash: int, ubatch: int, shares: bool = False):
        model_params = ll.llama_model_default_params()
        model_params.use_extra_bufts = bool(args.repack)
        model_params.n_gpu_layers = 0
        self.model = ll.llama_model_load_from_file(args.model.encode(), model_params)
        if not self.model:
            sys.exit(f"{args.model}: llama.cpp cannot load it")
        params = ll.llama_context_default_params()
        params.n_ctx = context
        params.n_batch = 4096
        params.n_ubatch = ubatch
        params.n_seq_max = sequences
        params.n_threads = args.threads
        params.n_threads_batch = args.threads
        params.flash_attn_type = flash
        params.kv_unified = shares
        self.context = ll.llama_init_from_model(self.model, params)
        if not self.context:
            sys.exit(f"{args.model}: llama.cpp cannot make a context of {context} tokens")
        self.memory = ll.llama_get_memory(self.context)
        self.vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self.model))
        self.rng = np.random.default_rng(1)

    def clear(self) -> None:
        ll.llama_memory_clear(self.memory, True)

    def decode(self, entries) -> None:
        """entries: (token, position, sequence, wants logits)."""
        batch = ll.llama_batch_init(len(entries), 0, 1)
        batch.n_tokens = len(entries)
        for i, (token, position, sequence, wanted) in enumerate(entries):
            batch.token[i] = token
            batch.pos[i] = position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = sequence
            batch.logits[i] = wanted
        status = ll.llama_decode(self.context, batch)
        ll.llama_synchronize(self.context)
        ll.llama_batch_free(batch)
        if status != 0:
            sys.exit(f"llama_decode gave {status}")

    def tokens(self, count: int):
        return [int(t) for t in self.rng.integers(3, self.vocabulary, count)]

    def fill(self, count: int, sequence: int) -> None:
        tokens = self.tokens(count)
        self.decode([(t, i, sequence, i == count - 1) for i, t in enumerate(tokens)])

    def close(self) -> None:
        ll.llama_free(self.context)
        ll.llama_model_free(self.model)


def prefill_speed(engine: Engine, tokens: int, repeat: int) -> float:
    best = 0.0
    for _ in range(repeat):
        engine.clear()
        start = time.perf_counter()
        engine.fill(tokens, 0)
        best = max(best, tokens / (time.perf_counter() - start))
    return best


def decode_speed(engine: Engine, depth: int, sequences: int, steps: int, repeat: int) -> float:
    engine.clear()
    for sequence in range(sequences):
        engine.fill(depth, sequence)
    best = 0.0
    position = depth
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(steps):
            tokens = engine.tokens(sequences)
            engine.decode([(t, position, s, True) for s, t in enumerate(tokens)])
            position += 1
        best = max(best, sequences * steps / (time.perf_counter() - start))
    return best


def shared_speed(engine: Engine, depth: int, sequences: int, steps: int, repeat: int) -> float:
    """Sequences that have their first `depth` tokens in common, as llama.cpp shares cells."""
    engine.clear()
    engine.fill(depth, 0)
    for sequence in range(1, sequences):
        ll.llama_memory_seq_cp(engine.memory, 0, sequence, 0, depth)
    best = 0.0
    position = depth
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(steps):
            tokens = engine.tokens(sequences)
            engine.decode([(t, position, s, True) for s, t in enumerate(tokens)])
            position += 1
        best = max(best, sequences * steps / (time.perf_counter() - start))
    return best


def figures_of(args, flash: int, ubatch: int, is_first_ubatch: bool):
    engine = Engine(args, max([4096, *args.prefill]) + 256, 1, flash, ubatch)
    for tokens in args.prefill:
        yield dict(what="prefill", tokens=tokens, tokens_per_second=prefill_speed(engine, tokens, args.repeat))
    # One token a sequence: micro-batches make no difference.
    for depth in args.depths if is_first_ubatch else []:
        speed = decode_speed(engine, depth, 1, 32, args.repeat)
        yield dict(what="decode", depth=depth, sequences=1, tokens_per_second=speed)
    engine.close()
    if not is_first_ubatch:
        return
    for depth in args.shared:
        engine = Engine(args, depth + 32 * 128, 32, flash, ubatch, shares=True)
        speed = shared_speed(engine, depth, 32, 8, args.repeat)
        yield dict(what="decode shared", depth=depth, sequences=32, tokens_per_second=speed)
        engine.close()
    if not args.batches:
        return
    depth = args.batch_depth
    engine = Engine(args, max(args.batches) * (depth + 256), max(args.batches), flash, ubatch)
    for sequences in args.batches:
        speed = decode_speed(engine, depth, sequences, 16, args.repeat)
        yield dict(what="decode", depth=depth, sequences=sequences, tokens_per_second=speed)
    engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--prefill", type=int, nargs="*", default=[512, 2783])
    parser.add_argument("--depths", type=int, nargs="*", default=[128, 2783])
    parser.add_argument("--batches", type=int, nargs="*", default=[4, 8, 16, 32])
    parser.add_argument("--batch-depth", type=int, default=128, help="of each of --batches")
    parser.add_argument("--shared", type=int, nargs="*", default=[4096])
    parser.add_argument("--flash", type=int, nargs="+", choices=[0, 1], default=[1, 0], help="attention, on and off")
    parser.add_argument("--ubatch", type=int, nargs="+", default=[512, 256], help="tokens of a micro-batch")
    # Its AMX kernels for quantised weights crash on some virtual machines: 0 does without them.
    parser.add_argument("--repack", type=int, choices=[0, 1], default=1)
    parser.add_argument("--convert", choices=list(FILE_TYPES), help="write --to in this type, and end")
    parser.add_argument("--to")
    args = parser.parse_args()
    # As in decoder_bench: 0 stands for none.
    for name in ("prefill", "depths", "batches", "shared"):
        setattr(args, name, [value for value in getattr(args, name) if value > 0])
    ll.llama_backend_init()
    if args.convert:
        quantize(args.model, args.to, args.convert, args.threads)
        return
    for flash in args.flash:
        for ubatch in args.ubatch:
            for figure in figures_of(args, flash, ubatch, ubatch == args.ubatch[0]):
                print(json.dumps(figure | dict(flash=flash, ubatch=ubatch)), flush=True)


if __name__ == "__main__":
    main()
