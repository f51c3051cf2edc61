#!/usr/bin/env python3
"""Times a step of `train grpo` against a plain loop in torch + transformers + peft.

    python3 -m venv v && v/bin/pip install torch transformers peft gguf
    v/bin/python bench/grpo_peers.py build/release/bin/reasonrank MODEL.gguf

A step: --tasks prompts of about 1,000 tokens, 8 replies of up to 200 tokens to each at temperature 1, KL from the
model without adapters, one update; LoRA of rank 16, bf16, two threads each (torch in float32 where the processor
has no bf16). The loop generates for all prompts at once and learns --batch replies at a time; it does half the tasks
by default, since it takes long, and its seconds are scaled. Replies that end early are shorter on our side; seconds of writing are scaled to 200 tokens a reply on
both, and so are those of learning to the tokens read.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from train_peers import TARGETS, has_bf16

REPLIES = 8
REPLY_TOKENS = 200
RANK = 16
SENTENCE = "The pilot adds a margin for the swell and waits if the sum of depth and tide is below the draught. "


def write_tasks(path, count):
    with open(path, "w", encoding="utf-8") as file:
        for task in range(count):
            passages = [{"docid": f"d{p}", "text": f"Passage {task} {p}. " + SENTENCE * 4} for p in range(7)]
            file.write(json.dumps({"qid": f"q{task}", "query": f"When does ship {task} have to wait?",
                                   "passages": passages, "grades": {f"d{task % 7}": 1}}) + "\n")


def run_ours(program, model, tasks):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_tasks(folder / "tasks.jsonl", tasks)
        command = [program, "train", "grpo", "--model", model, "--tasks", folder / "tasks.jsonl", "--steps", 2,
                   "--tasks-per-step", tasks, "--group", REPLIES, "--max-tokens", REPLY_TOKENS, "--mini-batches", 1,
                   "--lora", RANK, "--threads", 2, "-o", folder / "run"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr)
        step = json.loads(open(folder / "run" / "metrics.jsonl", encoding="utf-8").readlines()[-1])
    written = tasks * REPLIES * REPLY_TOKENS
    prompt = (step["learn_tokens"] - step["rollout_tokens"]) / tasks
    learnt = tasks * prompt + written
    return (step["rollout_seconds"] * written / step["rollout_tokens"],
            step["learn_seconds"] * learnt / step["learn_tokens"], int(prompt))


def run_torch(model_path, tasks, prompt_tokens, batch):
    """In a process of its own, which prints seconds of writing and of learning."""
    import peft
    import torch
    import transformers
    torch.set_num_threads(2)
    torch.manual_seed(0)
    path = pathlib.Path(model_path)
    dtype = torch.bfloat16 if has_bf16() else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    model = peft.get_peft_model(model, peft.LoraConfig(r=RANK, lora_alpha=RANK, target_modules=TARGETS))
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=True)
    prompts = torch.randint(1000, 40000, (tasks, prompt_tokens))

    start = time.perf_counter()
    with torch.no_grad():
        rows = model.generate(prompts, attention_mask=torch.ones_like(prompts), do_sample=True, temperature=1.0,
                              num_return_sequences=REPLIES, min_new_tokens=REPLY_TOKENS,
                              max_new_tokens=REPLY_TOKENS, pad_token_id=0)
    wrote = time.perf_counter() - start

    def logprobs(ids):
        hidden = model.get_base_model().model(input_ids=ids).last_hidden_state[:, prompt_tokens - 1:-1]
        logits = model.get_base_model().lm_head(hidden).float()
        return torch.log_softmax(logits, -1).gather(-1, ids[:, prompt_tokens:, None])[..., 0]

    start = time.perf_counter()
    advantages = torch.randn(len(rows))
    for first in range(0, len(rows), batch):
        ids = rows[first:first + batch]
        with torch.no_grad(), model.disable_adapter():
            reference = logprobs(ids)
        now = logprobs(ids)
        ratio = torch.exp(now - now.detach())
        kl = torch.exp(reference - now) - (reference - now) - 1
        loss = (-ratio * advantages[first:first + batch, None] + 0.001 * kl).mean(1).sum() / len(rows)
        loss.backward()
    optimiser.step()
    print(json.dumps([wrote, time.perf_counter() - start]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model", help="a GGUF file that transformers reads too")
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--torch-tasks", type=int, default=4)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--torch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        run_torch(options.model, options.torch_tasks, options.torch, options.batch)
        return
    ours = run_ours(options.program, options.model, options.tasks)
    done = subprocess.run([sys.executable, __file__, options.program, options.model, "--torch", str(ours[2]),
                           "--torch-tasks", str(options.torch_tasks), "--batch", str(options.batch)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    scale = options.tasks / options.torch_tasks
    theirs = [seconds * scale for seconds in json.loads(done.stdout.splitlines()[-1])]
    print(f"{options.tasks} prompts of {ours[2]} tokens, {REPLIES} replies of {REPLY_TOKENS}")
    for what, mine, other in (("writing", ours[0], theirs[0]), ("learning", ours[1], theirs[1]),
                              ("a step", sum(ours[:2]), sum(theirs))):
        print(f"{what:9} {mine:7.1f} s {other:8.1f} s  {other / mine:.1f}")


if __name__ == "__main__":
    main()
