#!/usr/bin/env python3
"""Loads what `reasonrank export` wrote with the trainers' own code, from checkouts of them.

    pip install datasets
    git clone https://github.com/hiyouga/LLaMA-Factory && git clone https://github.com/volcengine/verl
    reasonrank export data --for llama-factory -o lf
    reasonrank export data --for verl -o rl
    tests/oracles/load_exports_in_trainers.py lf LLaMA-Factory rl verl

Of LLaMA-Factory: its parser, loader and converter, from dataset_info.json to the aligned examples. Of verl:
RLHFDataset. What these import for training alone (torch, transformers) is replaced by stand-ins.
"""
import importlib
import importlib.util
import json
import os
import sys
import types
from types import SimpleNamespace
from unittest.mock import MagicMock

import datasets


def stand_in(name, **contents):
    module = MagicMock(name=name, __spec__=None, __path__=[])
    for key, value in contents.items():
        setattr(module, key, value)
    sys.modules[name] = module
    return module


def package(name, path):
    """A package whose __init__ is not run: it imports the whole trainer."""
    module = types.ModuleType(name)
    module.__path__ = [path]
    sys.modules[name] = module


def load_in_llama_factory(folder, checkout):
    source = os.path.join(checkout, "src/llamafactory")
    package("llamafactory", source)
    package("llamafactory.data", os.path.join(source, "data"))
    package("llamafactory.extras", os.path.join(source, "extras"))
    stand_in("llamafactory.extras.logging")
    stand_in("llamafactory.extras.misc", use_modelscope=lambda: False, use_openmind=lambda: False)
    stand_in("llamafactory.extras.constants", DATA_CONFIG="dataset_info.json",
             FILEEXT2TYPE={"json": "json", "jsonl": "json"})
    stand_in("llamafactory.data.processor")
    parser = importlib.import_module("llamafactory.data.parser")
    loader = importlib.import_module("llamafactory.data.loader")
    data_args = SimpleNamespace(dataset_dir=folder, preprocessing_num_workers=None, streaming=False, max_samples=None,
                                overwrite_cache=True, media_dir=folder)
    model_args = SimpleNamespace(cache_dir=None, hf_hub_token=None)
    training_args = SimpleNamespace(local_process_index=0)
    [attributes] = parser.get_dataset_list(["reasonrank_sft"], folder)
    aligned = loader._load_single_dataset(attributes, model_args, data_args, training_args)
    with open(os.path.join(folder, "reasonrank_sft.jsonl"), encoding="utf-8") as lines:
        written = [json.loads(line)["messages"] for line in lines]
    assert len(aligned) == len(written), (len(aligned), len(written))
    for example, messages in zip(aligned, written):
        turns = example["_prompt"] + example["_response"]  # both empty where LLaMA-Factory skips an example
        if messages[0]["role"] == "system":
            assert example["_system"] == messages[0]["content"]
            messages = messages[1:]
        assert [(t["role"], t["content"]) for t in turns] == [(m["role"], m["content"]) for m in messages]
        assert len(example["_response"]) == 1 and example["_response"][0]["role"] == "assistant"
    print(f"LLaMA-Factory: {len(aligned)} examples, none skipped, each turn as it was written")


def load_in_verl(folder, checkout):
    for name in ("PIL", "transformers", "verl", "verl.utils", "verl.utils.import_utils"):
        stand_in(name)
    stand_in("omegaconf", DictConfig=dict, ListConfig=list)
    stand_in("torch")
    stand_in("torch.utils")
    stand_in("torch.utils.data", Dataset=object)
    stand_in("verl.utils.fs", copy_to_local=lambda src, **options: src)
    spec = importlib.util.spec_from_file_location("rl_dataset",
                                                  os.path.join(checkout, "verl/utils/dataset/rl_dataset.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("torch", "transformers", "PIL"):  # or datasets takes them for the real ones
        del sys.modules[name]
    files = [os.path.join(folder, name) for name in ("train.json", "val.json")]
    dataset = module.RLHFDataset(files, tokenizer=None, config={"filter_overlong_prompts": False})
    written = [json.loads(line) for name in files for line in open(name, encoding="utf-8")]
    assert len(dataset) == len(written), (len(dataset), len(written))
    for i, row in enumerate(written):
        loaded = dataset[i]
        assert loaded["raw_prompt"] == row["prompt"]
        assert loaded["reward_model"] == row["reward_model"] and loaded["data_source"] == row["data_source"]
        assert loaded["index"] == row["extra_info"]["index"]
        assert loaded["extra_info"]["final_list"] == row["final_list"]
    print(f"verl: {len(dataset)} rows, prompts and rewards as they were written")


def main():
    llama_factory, llama_factory_checkout, verl, verl_checkout = sys.argv[1:]
    datasets.disable_progress_bars()
    load_in_llama_factory(llama_factory, llama_factory_checkout)
    load_in_verl(verl, verl_checkout)


if __name__ == "__main__":
    main()
