#!/usr/bin/env python3
"""Makes a corpus of any size, and queries for it, that are the same for the same seed.

    bench/make_corpus.py --data ../shared/data -n 1000000 -o million

writes million/corpus.jsonl (BEIR's layout), million/short.tsv (1,000 queries of 2 to 8 words) and
million/long.tsv (200 queries of 200 words).

The recipe:
  words      The rank-frequency curve is Zipf-Mandelbrot's, 1 / (rank + 2.7) ^ 1.07, over 500,000
             words. The 33 stop words of Lucene's list stand on the first ranks, made-up words of
             2 to 4 syllables behind them.
  lengths    The words of a sentence and the sentences of a passage are drawn from those that the
             collections of --data have (SciFact, NFCorpus, teacher-textbooks); a passage keeps at
             most 4 sentences, which gives some 75 words, as in MS MARCO.
  topics     A passage has one of 20,000 topics, each of 60 words drawn from the curve; 30 % of its
             words come from its topic. So words repeat within a passage as they do in real text.
  queries    Short ones are words of one passage without the stop words; long ones are 200 words
             drawn as those of a passage are, stop words and all.
"""

import argparse
import gzip
import json
import pathlib
import re

import numpy

STOP_WORDS = (
    "the of and a in to is that for it as was with be by on not are but at this they an their or "
    "if into such these there will then no"
).split()
SIZES = {"words": 500_000, "topics": 20_000, "topic_words": 60, "batch": 20_000}
ONSETS = "b br c cl d dr f g gr h j k l m n p pl pr r s st t tr v w z".split()
VOWELS = "a e i o u ai ea ou".split()
CODAS = ["", "", "n", "r", "s", "t", "l", "nd", "rt", "x"]


def vocabulary(random):
    """Different words; the more frequent ones come first and are shorter."""
    syllables = [o + v + c for o in ONSETS for v in VOWELS for c in CODAS]
    words = list(STOP_WORDS)
    known = set(words)
    while len(words) < SIZES["words"]:
        count = 2 if len(words) < 60_000 else 3 if len(words) < 300_000 else 4
        drawn = random.integers(len(syllables), size=(50_000, count))
        for row in drawn:
            word = "".join(syllables[i] for i in row)
            if word not in known and len(words) < SIZES["words"]:
                known.add(word)
                words.append(word)
    return numpy.array(words, dtype=object)


def real_lengths(data):
    """Words of each sentence and sentences of each passage of the collections."""
    sentence_words, passage_sentences = [], []
    for name in ("beir-scifact/corpus.jsonl", "beir-nfcorpus/corpus.jsonl",
                 "teacher-textbooks/corpus.jsonl.gz"):
        path = data / name
        opened = gzip.open(path, "rt") if name.endswith(".gz") else open(path)
        with opened as file:
            for line in file:
                sentences = re.split(r"(?<=[.!?])\s+", json.loads(line)["text"].strip())
                counts = [len(s.split()) for s in sentences if s.split()]
                sentence_words += [min(c, 80) for c in counts]
                passage_sentences.append(min(len(counts), 4))
    return numpy.array(sentence_words), numpy.maximum(1, numpy.array(passage_sentences))


class Generator:
    def __init__(self, data, seed):
        self.random = numpy.random.default_rng(seed)
        self.words = vocabulary(self.random)
        self.sentence_words, self.passage_sentences = real_lengths(data)
        weights = 1 / (numpy.arange(len(self.words)) + 2.7) ** 1.07
        self.cumulative = numpy.cumsum(weights) / weights.sum()
        topic_words = self.draw_words(SIZES["topics"] * SIZES["topic_words"])
        is_stop = topic_words < len(STOP_WORDS)
        topic_words[is_stop] += len(STOP_WORDS)
        self.topics = topic_words.reshape(SIZES["topics"], SIZES["topic_words"])

    def draw_words(self, count):
        drawn = numpy.searchsorted(self.cumulative, self.random.random(count))
        return numpy.minimum(drawn, len(self.words) - 1)

    def words_of_topics(self, topics):
        """A word for each of `topics`."""
        from_topic = self.random.random(len(topics)) < 0.3
        column = self.random.integers(SIZES["topic_words"], size=len(topics))
        return numpy.where(from_topic, self.topics[topics, column], self.draw_words(len(topics)))

    def passages(self, count):
        """A list of sentences, each word numbers, for each passage."""
        topics = self.random.integers(SIZES["topics"], size=count)
        num_sentences = self.random.choice(self.passage_sentences, size=count)
        lengths = self.random.choice(self.sentence_words, size=num_sentences.sum())
        numbers = self.words_of_topics(numpy.repeat(numpy.repeat(topics, num_sentences), lengths))
        sentences = numpy.split(numbers, numpy.cumsum(lengths)[:-1])
        ends = numpy.cumsum(num_sentences)
        return [sentences[e - n:e] for e, n in zip(ends, num_sentences)]

    def text(self, sentences):
        parts = []
        for numbers in sentences:
            sentence = " ".join(self.words[numbers])
            parts.append(sentence[:1].upper() + sentence[1:] + ".")
        return " ".join(parts)


def write_corpus(generator, count, path):
    with open(path, "w") as file:
        for begin in range(0, count, SIZES["batch"]):
            passages = generator.passages(min(SIZES["batch"], count - begin))
            for i, sentences in enumerate(passages):
                record = {"_id": f"p{begin + i}", "title": "", "text": generator.text(sentences)}
                file.write(json.dumps(record) + "\n")


def write_queries(generator, folder):
    random = generator.random
    with open(folder / "short.tsv", "w") as file:
        for i, sentences in enumerate(generator.passages(1000)):
            numbers = numpy.unique(numpy.concatenate(sentences))
            numbers = numbers[numbers >= len(STOP_WORDS)]
            size = min(len(numbers), int(random.integers(2, 9)))
            chosen = random.choice(numbers, size=size, replace=False)
            file.write(f"s{i}\t{' '.join(generator.words[chosen])}\n")
    with open(folder / "long.tsv", "w") as file:
        for i in range(200):
            topics = numpy.full(200, random.integers(SIZES["topics"]))
            file.write(f"l{i}\t{' '.join(generator.words[generator.words_of_topics(topics)])}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, required=True, help="the shared collections")
    parser.add_argument("-n", type=int, default=1_000_000, help="passages")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", type=pathlib.Path, required=True, help="folder")
    options = parser.parse_args()
    options.o.mkdir(parents=True, exist_ok=True)
    generator = Generator(options.data, options.seed)
    write_queries(generator, options.o)
    write_corpus(generator, options.n, options.o / "corpus.jsonl")


if __name__ == "__main__":
    main()
