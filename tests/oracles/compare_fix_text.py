#!/usr/bin/env python3
"""Holds `reasonrank fix-text` against ftfy itself.

    pip install ftfy==6.3.1
    compare_fix_text.py build/release/bin/reasonrank --data FOLDER     every text in a folder of data
    compare_fix_text.py build/release/bin/reasonrank --random 200000   made-up garbles, seeded

Texts are the strings in .json and .jsonl files, and the columns of .tsv, .txt and .xml files (plain,
gzipped, or inside .zip and .tar.gz), each distinct text of a pack once. Run files, qrels and
tokenizer files hold no text and are left out. Prints the number of texts compared in each pack and
every difference; fails if there is one.
"""

import argparse
import gzip
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tarfile
import zipfile

import ftfy

NO_TEXT = re.compile(r"(^|/)(runs?[./]|qrels|vocab|merges|tokenizer|tfrank_scores)|expected")
MAX_SHOWN = 20


def strings_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_in(inner)


def texts_in_file(name, data):
    if name.endswith(".gz") and not name.endswith(".tar.gz"):
        yield from texts_in_file(name[:-3], gzip.decompress(data))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for inner in archive.namelist():
                yield from texts_in_file(inner, archive.read(inner))
    elif name.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                if member.isfile():
                    text = archive.extractfile(member).read().decode("utf-8", "replace")
                    yield text
                    yield from text.split("\n")
    elif name.endswith(".json"):
        yield from strings_in(json.loads(data))
    elif name.endswith(".jsonl"):
        for line in data.decode("utf-8", "replace").split("\n"):
            if line.strip():
                yield from strings_in(json.loads(line))
    elif name.endswith((".tsv", ".txt", ".xml")):
        text = data.decode("utf-8", "replace")
        yield text
        for line in text.split("\n"):
            yield from line.split("\t")


def texts_of_pack(folder):
    texts = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not NO_TEXT.search(name):
            for text in texts_in_file(name, path.read_bytes()):
                texts[text] = None
    return [text for text in texts if not re.search("[\ud800-\udfff]", text)]


PIECES = (
    "a b e s z A B Z 0 9 . , ? ! ' < > _ - \\ / ( ) [ ] ; # \t \f \r \x00 \x1a \x1b \x1b[31m \x7f".split(" ")
    + [" ", "  ", "\n", "\r\n", " Ã ", "Ã ", "quele", "Â ", "œ", "\xa0", "\xad", "\u2028", "\ufeff"]
    + "&amp; &lt; &amp;lt; &NTILDE; &SZLIG; &#38; &#59; &#x1F600; &#128; &#0; &#13; &#xD800; &bogus;".split()
    + "&NotEqualTilde; &LTCC; &nbsp; &AMPERE; &AMP; &#x; &#1a;".split()
    + "ﬁ ŉ ǅ ＬＯ ﾊﾞ ￣ ﾡ 　 “ ” ‘ ʼ é 日本 ½ ² ³ ° € ™ ® × ٣ e\u0301 \u0301 \u0323 각 ᄀ ᅡ ᆨ 🙂".split(" ")
    + ["\ufffd", "ãƒ", "à¤", "вЂ", "ГўВЂВ", "â€", "Ð ", "\xed\xa0\xbd\xed\xb8\x80", "\xc0\x80", "\xc0\n"]
)
PAGES = (
    "latin-1 sloppy-windows-1252 sloppy-windows-1251 sloppy-windows-1250 sloppy-windows-1253 "
    "sloppy-windows-1254 sloppy-windows-1257 iso-8859-2 macroman cp437"
).split()
UPPER_HALVES = {page: bytes(range(0x80, 0x100)).decode(page) for page in PAGES}
MEANT = "éàüßñÀÅçœŠ€“”‘’–—…•™®©°²½ΑβγЯблсдعربي日本語한국어हिन्दी🙂👍\u00a0\u2028\ufb01¿¡"


def garble(rng):
    """A text read with a wrong encoding, perhaps twice, perhaps damaged."""
    text = "".join(rng.choice(MEANT + "aeiou  ") for _ in range(rng.randint(1, 8)))
    for _ in range(rng.choice((1, 1, 2))):
        data = text.encode("utf-8", "surrogatepass")
        text = data.decode(rng.choice(PAGES))
    damage = rng.random()
    if damage < 0.15:
        text = text.replace("\xa0", " ")
    elif damage < 0.3:
        text = re.sub("[\x80-\x9f]", rng.choice(["\ufffd", "?", ""]), text)
    elif damage < 0.4 and len(text) > 1:
        cut = rng.randrange(len(text))
        text = text[:cut] + text[cut + 1 :]
    return text


def random_text(rng):
    text = ""
    for _ in range(rng.randint(1, 10)):
        kind = rng.random()
        if kind < 0.35:
            text += rng.choice(PIECES)
        elif kind < 0.6:
            text += garble(rng)
        elif kind < 0.85:
            half = UPPER_HALVES[rng.choice(PAGES)]
            text += "".join(rng.choice(half) for _ in range(rng.randint(1, 4)))
        elif kind < 0.95:
            text += rng.choice(["the ", "word", "Name ", " x"])
        else:
            text += chr(rng.choice([rng.randrange(1, 0x3000), rng.randrange(0xF900, 0x20000)]))
    return text


def repaired_by(program, texts):
    lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    done = subprocess.run(
        [program, "fix-text", "--json-lines"], input=lines.encode(), stdout=subprocess.PIPE, check=True
    )
    return [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]


def compare(name, program, texts):
    ours = repaired_by(program, texts)
    assert len(ours) == len(texts), f"{len(texts)} texts in, {len(ours)} out"
    num_changed = num_different = 0
    for text, fixed in zip(texts, ours):
        expected = ftfy.fix_text(text)
        num_changed += expected != text
        if fixed != expected:
            num_different += 1
            if num_different <= MAX_SHOWN:
                print(f"  {text[:300]!r}\n    ftfy {expected[:300]!r}\n    ours {fixed[:300]!r}")
    print(f"{name}: {len(texts)} texts, {num_changed} that ftfy changes, {num_different} differ", flush=True)
    return len(texts), num_different


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    assert ftfy.__version__ == "6.3.1", f"needs ftfy 6.3.1, not {ftfy.__version__}"

    counts = []
    if arguments.data:
        for folder in sorted(path for path in arguments.data.iterdir() if path.is_dir()):
            counts.append(compare(folder.name, arguments.program, texts_of_pack(folder)))
    if arguments.random:
        rng = random.Random(arguments.seed)
        texts = [random_text(rng) for _ in range(arguments.random)]
        counts.append(compare("random", arguments.program, texts))
    num_texts, num_different = (sum(column) for column in zip(*counts))
    print(f"all: {num_texts} texts, {num_different} differ")
    return 1 if num_different else 0


if __name__ == "__main__":
    sys.exit(main())
