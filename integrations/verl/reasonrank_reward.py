"""The reward of `reasonrank train grpo`, for models that verl trains. README.md beside this file says how."""

import json
import os
import subprocess
import tempfile

LISTS = ("initial_list", "final_list", "relevant_docids")


def compute_score(data_source, solution_str, ground_truth, extra_info=None, reward="strict", program="reasonrank"):
    """Rewards a reply to a row that `reasonrank export --for verl` wrote, as verl asks for it: a reply at a time, from several
    threads.

    reward: what `reasonrank reward --reward` takes: strict, published or a TOML file; without terms of length, since verl
    tells no lengths (its manager "dapo" has such terms).
    Gives the reward as "score", and its parts, of which verl shows the means: "ndcg", "recall", "rbo", "right" (1 for a right
    answer, else 0) and "right_form" (1 where the tags are there).
    Raises ValueError for a row without the lists, RuntimeError with the program's own sentence where it refuses.
    """
    missing = [key for key in LISTS if key not in (extra_info or {})]
    if missing:
        raise ValueError(f"expected extra_info of a row that `reasonrank export --for verl` wrote, found none of {missing}")
    initial, final, relevant = ([str(docid) for docid in extra_info[key]] for key in LISTS)  # from Parquet: arrays
    task = {"qid": "row", "query": "", "passages": [{"docid": docid, "text": ""} for docid in initial],  # no text is read
            "grades": {docid: 1 for docid in relevant}, "final_list": final}
    with tempfile.TemporaryDirectory() as folder:
        tasks = os.path.join(folder, "tasks.jsonl")
        with open(tasks, "w", encoding="utf-8") as file:
            json.dump(task, file)
        done = subprocess.run([program, "reward", "--tasks", tasks, "--reward", reward], capture_output=True, text=True,
                              input=json.dumps({"qid": "row", "reply": solution_str}), encoding="utf-8", check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    found = json.loads(done.stdout)
    return {"score": found["reward"], "ndcg": found["ndcg"], "recall": found["recall"], "rbo": found["rbo"],
            "right": float(found["format"] == "right"), "right_form": float(found["format"] != "wrong-form")}
