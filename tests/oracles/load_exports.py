#!/usr/bin/env python3
"""Loads what `reasonrank export` wrote as LLaMA-Factory and verl do: through Hugging Face's datasets.

    pip install datasets
    reasonrank export data --for llama-factory -o lf
    reasonrank export data --for verl -o verl
    tests/oracles/load_exports.py lf verl
"""
import json
import os
import sys

import datasets

llama_factory, verl = sys.argv[1:]


def load(kind, path):
    return datasets.load_dataset(kind, data_files=path)["train"]


with open(os.path.join(llama_factory, "dataset_info.json"), encoding="utf-8") as file:
    info = json.load(file)["reasonrank_sft"]
examples = load("json", os.path.join(llama_factory, info["file_name"]))
tags = info["tags"]
for example in examples:
    turns = example[info["columns"]["messages"]]
    roles = [turn[tags["role_tag"]] for turn in turns]
    assert roles[-2:] == [tags["user_tag"], tags["assistant_tag"]], roles
    assert all(turn[tags["content_tag"]] for turn in turns)
print(f"LLaMA-Factory: {len(examples)} examples")

parts = [load("json", os.path.join(verl, name)) for name in ("train.json", "val.json")]
rows = datasets.concatenate_datasets(parts)  # fails where their columns differ
for row in rows:
    order = [int(number) for number in row["label"].replace("[", "").replace("]", "").split(" > ")]
    assert sorted(order) == list(range(1, len(row["initial_list"]) + 1)), row["label"]
    assert [row["initial_list"][i - 1] for i in order] == row["final_list"]
    assert row["reward_model"]["ground_truth"] == row["label"]
    assert row["extra_info"]["final_list"] == row["final_list"]
print(f"verl: {len(rows)} rows")

parts[0].to_parquet(os.path.join(verl, "train.parquet"))
again = load("parquet", os.path.join(verl, "train.parquet"))
assert again[0] == parts[0][0] and len(again) == len(parts[0])
print("verl: the same through Parquet")
