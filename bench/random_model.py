#!/usr/bin/env python3
"""Writes a GGUF file in BF16 with random weights in the shape of a known model, to time engines on it.

    random_model.py OUT.gguf [--shape qwen2.5-0.5b] [--tokenizer MODEL.gguf]

Needs the Python packages gguf and numpy. Without --tokenizer the file has none: for decoder_bench and
llama_cpp_baseline.py (compare_llama_cpp.py), whose tokens are numbers. With it the file has that of
another model, filled up to the shape's vocabulary with tokens that stand for nothing, so that the whole
program runs on it (rerank_peers.py). Same bytes each time.
"""

import argparse
import dataclasses

import gguf
import numpy as np


@dataclasses.dataclass
class Shape:
    """As the config.json of the model says it."""

    architecture: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    feed_forward: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float
    biased: bool  # queries, keys and values


SHAPES = {
    # https://huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json
    "qwen2.5-0.5b": Shape("qwen2", 24, 896, 14, 2, 64, 4864, 151936, 1e6, 1e-6, True),
    # https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/blob/main/config.json
    "smollm2-135m": Shape("llama", 30, 576, 9, 3, 64, 1536, 49152, 1e5, 1e-5, False),
}


def matrices_of(shape: Shape, block: int):
    """The name, rows and columns of each matrix of a layer."""
    queries, keys = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    for name, rows, columns in [
        ("attn_q", queries, shape.hidden),
        ("attn_k", keys, shape.hidden),
        ("attn_v", keys, shape.hidden),
        ("attn_output", shape.hidden, queries),
        ("ffn_gate", shape.feed_forward, shape.hidden),
        ("ffn_up", shape.feed_forward, shape.hidden),
        ("ffn_down", shape.hidden, shape.feed_forward),
    ]:
        yield f"blk.{block}.{name}", rows, columns


def add_tokenizer(writer: gguf.GGUFWriter, source: str, vocabulary: int) -> None:
    fields = gguf.GGUFReader(source).fields
    known = len(fields["tokenizer.ggml.tokens"].contents())
    if known > vocabulary:
        raise SystemExit(f"{source}: expected a tokenizer of at most {vocabulary} tokens, found {known}")
    unused = range(known, vocabulary)
    filling = {
        "tokenizer.ggml.tokens": [f"[UNUSED{token}]" for token in unused],
        "tokenizer.ggml.token_type": [int(gguf.TokenType.UNUSED)] * len(unused),
        "tokenizer.ggml.scores": [0.0] * len(unused),
    }
    for name, field in fields.items():
        if name.startswith("tokenizer."):
            value = field.contents()
            value = value + filling[name] if name in filling else value
            writer.add_key_value(name, value, field.types[0], field.types[-1] if len(field.types) > 1 else None)


def write(path: str, shape: Shape, tokenizer: str | None) -> None:
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_name("random weights")
    writer.add_block_count(shape.layers)
    writer.add_context_length(32768)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_dimension_count(shape.head_size)
    writer.add_vocab_size(shape.vocabulary)
    if tokenizer is None:
        writer.add_tokenizer_model("no_vocab")
    else:
        add_tokenizer(writer, tokenizer, shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    rng = np.random.default_rng(1)

    def add_matrix(name: str, rows: int, columns: int) -> None:
        values = rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(columns**-0.5)
        kind = gguf.GGMLQuantizationType.BF16
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)

    add_matrix("token_embd", shape.vocabulary, shape.hidden)
    writer.add_tensor("output_norm.weight", np.ones(shape.hidden, np.float32))
    for block in range(shape.layers):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{block}.{norm}.weight", np.ones(shape.hidden, np.float32))
        for name, rows, columns in matrices_of(shape, block):
            add_matrix(name, rows, columns)
            if shape.biased and name.endswith(("_q", "_k", "_v")):
                writer.add_tensor(f"{name}.bias", rng.standard_normal(rows, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--shape", choices=list(SHAPES), default="qwen2.5-0.5b")
    parser.add_argument("--tokenizer", help="a GGUF file whose tokenizer the model is given")
    args = parser.parse_args()
    write(args.out, SHAPES[args.shape], args.tokenizer)


if __name__ == "__main__":
    main()
