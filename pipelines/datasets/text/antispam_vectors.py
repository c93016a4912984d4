"""The spam corpus once more, for vectors of its words: the same files as `antispam`, whose verdicts play no part."""

from dataclasses import replace
from typing import ClassVar

from emberline.features.schema import Schema
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts
from emberline.pipelines.datasets.text import antispam


class AntispamVectors(antispam.Antispam):
    """Reads what `antispam` reads, divided into the same splits: its vocabulary has the same ids."""

    name: ClassVar[str] = "antispam_vectors"
    schema: ClassVar[Schema] = replace(antispam.SCHEMA, label=replace(antispam.SCHEMA.label, purpose="vectors"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic messages; how well their verdicts can be told says nothing here."""
        return write_facts(directory, replace(super().generate(directory, seed=seed), best={}))


DATASET = AntispamVectors()
