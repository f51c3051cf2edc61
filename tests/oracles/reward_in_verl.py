#!/usr/bin/env python3
"""Rewards replies to exported rows through verl's own code: its dataset, its loader of reward functions and its reward manager.

    python3 -m venv v && v/bin/pip install verl torch torchdata tensordict
    reasonrank split samples.jsonl ... -o data && reasonrank export data --for verl -o rows
    v/bin/python tests/oracles/reward_in_verl.py build/reasonrank data rows

Three replies a row: the teacher's order, its reverse, and one without tags. The scores must be those that `reasonrank reward`
gives for the tasks that the rows came from, all at once; in both presets.
"""
import asyncio
import json
import pathlib
import subprocess
import sys

import numpy
import omegaconf
import torch
from verl.protocol import DataProto
from verl.trainer.ppo.reward import load_reward_manager
from verl.utils.dataset.rl_dataset import RLHFDataset

FUNCTION = pathlib.Path(__file__).parents[2] / "integrations" / "verl" / "reasonrank_reward.py"


class Spelled:
    """A tokenizer of which a token is a character."""

    def decode(self, ids, **options):
        return "".join(chr(int(token)) for token in ids)


def replies_to(row):
    order = row["reward_model"]["ground_truth"]
    backwards = " > ".join(reversed(order.split(" > ")))
    return [f"<think>a</think><answer>{order}</answer>", f"<think>a</think><answer>{backwards}</answer>", order]


def rewards_by_program(program, data, rows, reward):
    """A reward for each reply; the tasks are those of training."""
    responses = [json.dumps({"qid": row["extra_info"]["qid"], "reply": reply}) for row in rows for reply in replies_to(row)]
    done = subprocess.run([program, "reward", "--tasks", f"{data}/ranking_tasks.jsonl", "--reward", reward, "--partial"],
                          input="\n".join(responses), stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line)["reward"] for line in done.stdout.splitlines()]


async def rewards_by_verl(program, rows, reward):
    manager = {"source": "register", "name": "naive"}
    function = {"path": str(FUNCTION), "name": "compute_score", "reward_kwargs": {"program": program, "reward": reward}}
    config = omegaconf.OmegaConf.create({"reward": {"custom_reward_function": function, "reward_manager": manager}})
    manager = load_reward_manager(config, Spelled())
    scores = []
    for row in rows:
        for reply in replies_to(row):
            ids = torch.tensor([[ord(character) for character in reply] + [0] * 5])
            mask = torch.cat([torch.ones(1, 4 + len(reply)), torch.zeros(1, 5)], dim=1).long()  # a prompt of 4; padding
            values = {key: numpy.array([row[key]], dtype=object) for key in ("data_source", "reward_model", "extra_info")}
            batch = DataProto.from_dict(tensors={"responses": ids, "attention_mask": mask}, non_tensors=values)
            scores.append((await manager.run_single(batch))["reward_score"])
    return scores


def main():
    program, data, folder = sys.argv[1:]
    dataset = RLHFDataset([f"{folder}/train.json"], tokenizer=None,
                          config=omegaconf.OmegaConf.create({"filter_overlong_prompts": False}))
    rows = [dataset[i] for i in range(0, len(dataset), max(1, len(dataset) // 30))]
    for reward in ("strict", "published"):
        expected = rewards_by_program(program, data, rows, reward)
        found = asyncio.run(rewards_by_verl(program, rows, reward))
        assert len(found) == 3 * len(rows) and len(set(found)) > 10, found
        assert found == expected, [(i, a, b) for i, (a, b) in enumerate(zip(found, expected)) if a != b]
        print(f"verl, {reward}: {len(found)} replies, scores from {min(found):.3f} to {max(found):.3f}, as the program gives them")


if __name__ == "__main__":
    main()
