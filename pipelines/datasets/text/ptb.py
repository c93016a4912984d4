"""The Penn Treebank as word-level language models take it.

Official format: `ptb.train.txt` and `ptb.valid.txt` (or `ptb.test.txt`), a sentence per line, words between blanks,
rare ones replaced by <unk>; in a folder, or in the archive `simple-examples.tgz` that holds them. The end of a line is
the word <eos>. Source: fit.vutbr.cz/~imikolov/rnnlm.

The text is cut into passages of 1,400 words in its order; each begins with the last word of the one before, which is
read and not told. The official split: `ptb.valid.txt` is held out, or `ptb.test.txt` where there is no other.
"""

import io
import tarfile
from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.pipelines.datasets.readers.passages import COLUMNS, CutPassages, passage_rows, passage_schema, passages
from emberline.pipelines.datasets.readers.raw_table import file_name, input_files, read_named
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SCHEMA = passage_schema("language")

FILES = {"train": ("ptb.train.txt",), "eval": ("ptb.valid.txt", "ptb.test.txt")}

ARCHIVES = (".tgz", ".tar.gz", ".tar")

PASSAGE = 1_400
"""Words of a row that are predicted: 70 windows of 20, or 40 of 35."""

END = "<eos>"

CUT = CutPassages(PASSAGE + 1, overlap=1, line_end=END)

WORDS, FOLLOWERS, SIZES = 60, 6, {"ptb.train.txt": 240_000, "ptb.valid.txt": 24_000}
"""Of the synthetic stand-in: different words, the end of a line among them; words that may follow one; words in all."""


class Ptb:
    """Reads the official files or their archive, a text file, or a table (Parquet) with the columns `text`, `words`."""

    name: ClassVar[str] = "ptb"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the files, their archive, a text file, or a Parquet table.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing, or no file for the split.
        """
        found = input_files(uri)
        if any(file.uri.endswith(".parquet") for file in found):
            return read_named(spark, uri, SCHEMA)
        texts = [file for file in found if file.uri.endswith((".txt", *ARCHIVES))] or found
        if len(texts) == 1 and texts[0].uri.endswith(ARCHIVES):
            return passage_rows(spark.createDataFrame(_archived(texts[0].uri, split), COLUMNS))
        official = {file_name(file.uri): file for file in texts}
        files = [official[name] for name in _wanted(list(official), split, uri)] if split else texts
        return passages(spark, files, CUT)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes a language in which a word depends on the one before alone: its least perplexity is known.

        The best perplexity is that of the true probabilities on the held-out text.
        """
        draw = np.random.default_rng(seed)
        following = np.stack([draw.permutation(WORDS)[:FOLLOWERS] for _ in range(WORDS)])
        following[0][following[0] == 0] = 1  # no line is empty
        chances = draw.dirichlet(np.full(FOLLOWERS, 0.7), WORDS)
        best = {}
        for name, count in SIZES.items():
            words, loss = [0], 0.0
            for chance in draw.random(count):
                place = min(int(np.searchsorted(np.cumsum(chances[words[-1]]), chance)), FOLLOWERS - 1)
                next_word = following[words[-1], place]
                # A word may be listed twice behind the end of a line.
                loss -= float(np.log(chances[words[-1]][following[words[-1]] == next_word].sum()))
                words.append(int(next_word))
            text = " ".join("\n" if word == 0 else f"w{word}" for word in [*words[1:], 0])
            write_lines(directory, name, [line.strip() for line in text.split("\n") if line.strip()])
            best = {"perplexity": float(np.exp(loss / count))}
        return write_facts(directory, Synthetic(best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Ptb()


def _wanted(names: list[str], split: str, uri: str) -> list[str]:
    """Returns the official file of a split."""
    for name in FILES[split]:
        if name in names:
            return [name]
    raise BadInputError(f"{uri!r} holds {sorted(names)[:8]}; expected {' or '.join(FILES[split])} for {split}.")


def _archived(uri: str, split: str | None) -> list[tuple[str, str]]:
    """Returns passages of the official files in an archive, which is small, and the names of their files."""
    with tarfile.open(fileobj=io.BytesIO(storage.read_bytes(uri))) as archive:
        members = {file_name(name): name for name in archive.getnames() if file_name(name).startswith("ptb.")}
        chosen = (
            _wanted(list(members), split, uri)
            if split
            else [n for names in FILES.values() for n in names if n in members]
        )
        rows = []
        for name in chosen:
            stream = archive.extractfile(members[name])
            rows += [(text, name) for text in CUT([stream.read().decode() if stream else ""])]
    return rows
