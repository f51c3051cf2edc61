#!/usr/bin/env python3
"""Loads what `reasonrank export` makes of runs of training where others would: PEFT, transformers, llama.cpp.

    python3 -m venv v && v/bin/pip install torch transformers peft safetensors gguf llama-cpp-python
    v/bin/python tests/peers/training_exports.py build/reasonrank --tiny ../shared/data/golden-tiny-models \\
        --gguf MODEL.gguf

Each small model is trained for three steps, in full and with LoRA, and exported. transformers and peft then
compute log-probabilities of a sequence of the golden file in float32, which are held against `reasonrank model
score --adapter RUN`. The GGUF model (an instruction model with its tokenizer) is trained for two steps with LoRA
and exported in every type. llama.cpp's perplexity of a text is held against ours of the same weights: of the
file, and, since llama.cpp also rounds activations to suit the file's type, of the file's weights as float32. The
Q8_0 and Q4_0 blocks are held against those that the package gguf makes of the float32 export. Exit code 1 where
a difference is above its bound.
"""

import argparse
import json
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

import gguf
import numpy
import peft
import torch
import transformers

LOG_PROBABILITY_BOUND = 2e-4  # float32 sums in another order, on models with large activations
PERPLEXITY_BOUND = 1e-3  # relative, of the same weights in float32
ROUNDED_BOUNDS = {"f32": 1e-3, "f16": 1e-3, "bf16": 5e-3, "q8_0": 1e-2, "q4_0": 3e-2}  # activations too
TEXT = ("A passage is relevant if it helps to answer the question, even where the two share few words. "
        "Sliding windows move the best passages to the top of the list, a window after the other. "
        "A ship that leaves the harbour at low water must know the depth of the channel, the height of the tide and "
        "the draught of its own hull; the pilot adds a margin for the swell, and waits if the sum is too small. "
        "Yeast breathes while there is air in the dough, and ferments the sugar when there is none: the first makes "
        "more of it, the second makes the bubbles. Bakers therefore fold the dough now and then. "
        "The council voted to keep the old bridge open to bicycles, since the new one, though wider, lies half a mile "
        "from the school, and the road that leads to it has neither lamps nor a footpath.")


class Program:
    def __init__(self, path, work):
        self.path, self.work = path, work

    def run(self, *arguments):
        command = [str(argument) for argument in (self.path, *arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        return done.stdout

    def train(self, model, data, name, *options):
        run = self.work / name
        self.run("train", "sft", "--model", model, "--data", data, "--accumulate", 2, "--warmup", 0,
                 "--precision", "f32", "-o", run, *options)
        return run

    def score(self, record, *options):
        (self.work / "score.jsonl").write_text(json.dumps(record) + "\n")
        out = self.run("model", "score", self.work / "score.jsonl", "--compute", "f32", *options)
        return json.loads(out)


def add_byte_tokenizer(folder, vocabulary_size):
    """A tokenizer.json, which the small models lack; only ids are used here."""
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    hidden = [b for b in range(256) if b not in visible]
    names = {b: chr(b) for b in visible} | {b: chr(256 + i) for i, b in enumerate(hidden)}
    vocabulary = {names[b]: b for b in range(256)}
    vocabulary |= {f"<{i}>": i for i in range(256, vocabulary_size)}
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": [], "normalizer": None, "post_processor": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "byte_fallback": False, "vocab": vocabulary, "merges": []}}))


def log_probabilities(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
    return torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


class Checks:
    def __init__(self):
        self.failed = False

    def hold(self, what, difference, bound):
        fine = difference <= bound
        self.failed |= not fine
        print(f"{what:62} {difference:.2e}  {'' if fine else 'ABOVE '}{bound:g}")


def check_tiny_model(program, source, checks):
    model = program.work / source.name
    shutil.copytree(source, model)
    ids = json.loads((source / "golden.json").read_text())["ids"]
    add_byte_tokenizer(model, json.loads((model / "config.json").read_text())["vocab_size"])
    data = program.work / f"{source.name}.jsonl"
    data.write_text("".join(json.dumps({"prompt_ids": ids[i:i + 30], "completion_ids": ids[i + 30:i + 50]}) + "\n"
                            for i in range(0, 200, 50)))
    base_model = ("--model", model)

    full = program.train(model, data, f"{source.name}-full", "--steps", 3, "--lr", 1e-3)
    ours = program.score({"ids": ids}, *base_model, "--adapter", full)["token_logprobs"]
    base = program.score({"ids": ids}, *base_model)["token_logprobs"]
    if numpy.abs(numpy.subtract(ours, base)).max() < 0.01:
        sys.exit(f"{source.name}: three steps changed nothing: there is nothing to compare")
    folder = program.work / f"{source.name}-merged"
    program.run("export", full, "--format", "safetensors", "--type", "f32", "-o", folder)
    checks.hold(f"{source.name}, full, safetensors in transformers",
                numpy.abs(log_probabilities(load(folder), ids) - ours).max(), LOG_PROBABILITY_BOUND)

    lora = program.train(model, data, f"{source.name}-lora", "--steps", 3, "--lr", 1e-2, "--lora", 4,
                         "--lora-alpha", 8)
    ours = program.score({"ids": ids}, *base_model, "--adapter", lora)["token_logprobs"]
    adapter = program.work / f"{source.name}-adapter"
    program.run("export", lora, "--format", "peft", "-o", adapter)
    adapted = peft.PeftModel.from_pretrained(load(model), adapter).eval()
    checks.hold(f"{source.name}, LoRA, adapter in peft",
                numpy.abs(log_probabilities(adapted, ids) - ours).max(), LOG_PROBABILITY_BOUND)
    merged = program.work / f"{source.name}-lora-merged"
    program.run("export", lora, "--format", "safetensors", "--type", "f32", "-o", merged)
    checks.hold(f"{source.name}, LoRA, safetensors in transformers",
                numpy.abs(log_probabilities(load(merged), ids) - ours).max(), LOG_PROBABILITY_BOUND)


def llama_cpp_loss(path, ids):
    import llama_cpp
    model = llama_cpp.Llama(str(path), n_ctx=512, logits_all=True, verbose=False, n_threads=2)
    model.eval(ids)
    logits = torch.tensor(numpy.array(model.scores[:len(ids)])).double()
    chosen = torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    return -chosen.mean().item()


def write_as_floats(source, target):
    """The file with the values of its tensors as float32."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        element = field.types[1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=element)
    for tensor in reader.tensors:
        rows = gguf.quants.dequantize(numpy.asarray(tensor.data), tensor.tensor_type)
        writer.add_tensor(tensor.name, rows.reshape([int(n) for n in reversed(tensor.shape)]).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def blocks_that_differ(quantised, floats, kind):
    """Of all matrices of the type: bytes that gguf makes otherwise of the float32 export."""
    plain = {tensor.name: tensor for tensor in gguf.GGUFReader(floats).tensors}
    differ = 0
    for tensor in gguf.GGUFReader(quantised).tensors:
        if tensor.tensor_type != kind:
            continue
        rows = numpy.asarray(plain[tensor.name].data).reshape(-1, int(tensor.shape[0]))
        theirs = gguf.quants.quantize(rows, kind).reshape(-1)
        differ += int((theirs != numpy.asarray(tensor.data).reshape(-1)).sum())
    return differ


def check_gguf(program, model, checks):
    data = program.work / "text.jsonl"
    data.write_text(json.dumps({"prompt": "What is a relevant passage?", "completion": TEXT}) + "\n")
    run = program.train(model, data, "gguf-lora", "--steps", 2, "--lr", 1e-3, "--lora", 4)
    paths = {}
    for name in ROUNDED_BOUNDS:
        paths[name] = program.work / f"{name}.gguf"
        program.run("export", run, "--format", "gguf", "--type", name, "-o", paths[name])
    floats = program.work / "floats.gguf"
    for name, bound in ROUNDED_BOUNDS.items():
        scored = program.score({"text": TEXT}, "--model", paths[name])
        ours = math.exp(-sum(scored["token_logprobs"]) / len(scored["token_logprobs"]))
        write_as_floats(paths[name], floats)
        for path, how, most in ((paths[name], "as it is", bound), (floats, "as floats", PERPLEXITY_BOUND)):
            theirs = math.exp(llama_cpp_loss(path, scored["ids"]))
            checks.hold(f"{name}: perplexity {ours:.4f}, in llama.cpp {how} {theirs:.4f}", abs(theirs / ours - 1), most)
    for name, kind in (("q8_0", gguf.GGMLQuantizationType.Q8_0), ("q4_0", gguf.GGMLQuantizationType.Q4_0)):
        checks.hold(f"{name}: bytes that the package gguf makes otherwise",
                    blocks_that_differ(paths[name], paths["f32"], kind), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--tiny", type=pathlib.Path, help="the folder golden-tiny-models")
    parser.add_argument("--gguf", type=pathlib.Path, help="an instruction model as GGUF")
    options = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as work:
        program = Program(options.program.resolve(), pathlib.Path(work))
        if options.tiny:
            for source in sorted(path for path in options.tiny.iterdir() if path.is_dir()):
                check_tiny_model(program, source, checks)
        if options.gguf:
            check_gguf(program, options.gguf.resolve(), checks)
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
