#!/usr/bin/env python3
"""Times `train sft` against torch + transformers + peft on the same examples.

    python3 -m venv v && v/bin/pip install torch transformers peft gguf
    v/bin/python bench/train_peers.py build/release/bin/reasonrank MODEL.gguf

One example a step, every token of it in one row: forward, backward and AdamW step; two threads each. Ours in its
default, bf16. torch has float32 weights, and what is fastest in a first step: bf16 autocast or none, where the
processor has no bf16; attention "sdpa" or "eager";
with a long prompt it computes the output layer at the completion alone, as ours does. Seconds are medians of the
steps after the first; peak memory is that of the whole process. Both sides in turn, `--rounds` times.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

CASES = {  # name: prompt tokens, completion tokens, rank of adapters
    "full 1,024": (1, 1023, 0),
    "full 4,096": (1, 4095, 0),
    "full 3,000 + 300": (3000, 300, 0),
    "LoRA 1,024": (1, 1023, 16),
    "LoRA 4,096": (1, 4095, 16),
    "LoRA 3,000 + 300": (3000, 300, 16),
}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def random_ids(count, seed):
    rng = random.Random(seed)
    return [rng.randrange(1000, 40000) for _ in range(count)]


def time_ours(program, model, case, steps):
    prompt, completion, rank = CASES[case]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with open(folder / "data.jsonl", "w", encoding="utf-8") as file:
            for step in range(steps):
                ids = random_ids(prompt + completion, step)
                file.write(json.dumps({"prompt_ids": ids[:prompt], "completion_ids": ids[prompt:]}) + "\n")
        command = [program, "train", "sft", "--model", model, "--data", folder / "data.jsonl", "--accumulate", 1,
                   "--steps", steps, "--row-tokens", prompt + completion, "--no-shuffle", "--threads", 2,
                   "-o", folder / "run"]
        if rank:
            command += ["--lora", rank]
        process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(errors.decode())
        lines = [json.loads(line) for line in open(folder / "run" / "metrics.jsonl", encoding="utf-8")]
    return statistics.median(line["seconds"] for line in lines[1:]), usage.ru_maxrss / 2**20


def torch_step(model, optimiser, ids, prompt, in_bf16):
    import torch
    optimiser.zero_grad(set_to_none=True)
    tokens = torch.tensor([ids])
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=in_bf16):
        if prompt == 1:
            loss = model(input_ids=tokens, labels=tokens).loss
        else:
            inner = model.get_base_model() if hasattr(model, "get_base_model") else model
            hidden = inner.model(input_ids=tokens).last_hidden_state[0, prompt - 1:-1]
            loss = torch.nn.functional.cross_entropy(inner.lm_head(hidden).float(), tokens[0, prompt:])
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], 1.0)
    optimiser.step()


def time_torch(model_path, case, steps):
    """In a process of its own, which prints its figures."""
    import peft
    import torch
    import transformers
    torch.set_num_threads(2)
    prompt, completion, rank = CASES[case]
    path = pathlib.Path(model_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    if rank:
        model = peft.get_peft_model(model, peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS))
    model.train()
    learnt = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learnt, lr=1e-5, fused=True)
    inner = model.get_base_model() if rank else model

    def timed(step, in_bf16):
        start = time.perf_counter()
        torch_step(model, optimiser, random_ids(prompt + completion, step), prompt, in_bf16)
        return time.perf_counter() - start

    first = {}
    for attention in ("sdpa", "eager"):
        if attention == "eager" and prompt + completion > 2048:
            continue  # a matrix of T x T for each head and layer
        inner.set_attn_implementation(attention)
        for in_bf16 in (False, True) if has_bf16() else (False,):
            timed(0, in_bf16)
            first[attention, in_bf16] = timed(1, in_bf16)
    attention, in_bf16 = min(first, key=first.get)
    inner.set_attn_implementation(attention)
    seconds = statistics.median(timed(step, in_bf16) for step in range(2, steps + 1))
    way = attention + (" bf16" if in_bf16 else " f32")
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, way]))


def has_bf16():
    """Has the processor instructions for bf16; without them a step of torch in it takes many minutes."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        return "avx512_bf16" in file.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model", help="a GGUF file that transformers reads too")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4, help="in each round, the first not counted")
    parser.add_argument("--case", action="append", choices=list(CASES), help="of these alone")
    parser.add_argument("--torch", choices=list(CASES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        time_torch(options.model, options.torch, options.steps)
        return
    print(f"{'':18} {'ours':>22} {'torch':>32}   ratio")
    for case in options.case or CASES:
        tokens = sum(CASES[case][:2])
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(time_ours(options.program, options.model, case, options.steps))
            done = subprocess.run([sys.executable, __file__, options.program, options.model, "--steps",
                                   str(options.steps), "--torch", case], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(done.stderr)
            theirs.append(json.loads(done.stdout.splitlines()[-1]))
        ratios = sorted(theirs[i][0] / ours[i][0] for i in range(options.rounds))
        best, other = min(ours), min(theirs)
        print(f"{case:18} {tokens / best[0]:7.0f} tok/s {best[1]:5.2f} GiB {tokens / other[0]:7.0f} tok/s "
              f"{other[1]:5.2f} GiB {other[2]:>9}   {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})",
              flush=True)


if __name__ == "__main__":
    main()
