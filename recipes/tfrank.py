"""TFRank's listwise teacher examples (listwise_normalised.jsonl), as the recipes read them.

A line has query, passages, reasoning, ranking (identifiers from 1, best first), labels (identifier to 0 ... 4) and split.
"""
import json


def windows(path):
    """Of each line: its number, itself, and what it says in the fields of our formats. A docid is number and identifier."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            docids = [f"{number}-{i}" for i in range(1, len(row["passages"]) + 1)]
            yield number, row, {
                "dataset": "tfrank", "domain": "web", "query": row["query"],
                "passages": [{"docid": d, "text": text} for d, text in zip(docids, row["passages"])],
                "grades": {docids[int(i) - 1]: grade for i, grade in row["labels"].items()},
                "final_list": [docids[i - 1] for i in row["ranking"]],
            }
