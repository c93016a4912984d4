"""The manifest that `format("tfrecord")` writes beside its shards.

It says what every file must hold, so that a file that is gone, cut at the border of a record or exchanged is noticed,
and it carries the plan of equal steps. Where the columns allow it (scalars and fixed lists of int64, float32, string,
binary), the same file is a `emberline.features.tfrecord.manifest.ShardSet`, which the tf.data input reads.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from pyspark.sql import types as T

from emberline.features import storage
from emberline.features.tfrecord.manifest import ManifestError, Shard

MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
ROWS_PER_BLOCK = 1000
_WORKERS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Manifest:
    """What was written.

    Args:
        record_type: `Example`, `SequenceExample` or `ByteArray`.
        codec: `none`, `gzip` or `zlib`.
        columns: Names and stored types of the features.
        partition_by: Columns that are directories.
        shards: Files, in order.
    """

    record_type: str
    codec: str
    columns: tuple[tuple[str, str], ...]
    partition_by: tuple[str, ...] = ()
    shards: tuple[Shard, ...] = ()

    @classmethod
    def of(cls, schema: T.StructType, record_type: str, codec: str, partition_by: Iterable[str] = ()) -> "Manifest":
        """Returns the manifest of a write that has no files yet."""
        folders = tuple(partition_by)
        columns = tuple((field.name, stored_type(field.dataType)) for field in schema if field.name not in folders)
        return cls(record_type, codec, columns, folders)

    @property
    def records(self) -> int:
        """Records of all files."""
        return sum(shard.records for shard in self.shards)

    def with_shards(self, shards: Iterable[Shard]) -> "Manifest":
        """Returns the same write with these files."""
        return replace(self, shards=tuple(shards))

    def save(self, folder: str) -> None:
        """Writes `manifest.json` into `folder`; it appears whole or not at all."""
        content = {
            "layout": "plain" if self.record_type == "Example" else self.record_type.lower(),
            "record_type": self.record_type,
            "codec": self.codec,
            "rows_per_block": ROWS_PER_BLOCK,
            "rows": sum(shard.rows for shard in self.shards),
            "schema": [{"name": name, "type": kind} for name, kind in self.columns],
            "partition_by": list(self.partition_by),
            # Every worker takes the same number of rows, so every worker makes the same number of steps.
            "plan": {"rows_per_worker": {str(workers): self.records // workers for workers in _WORKERS}},
            "shards": [asdict(shard) | {"blocks": [list(run) for run in shard.blocks]} for shard in self.shards],
        }
        storage.write_text_atomic(storage.join(folder, MANIFEST), json.dumps(content, indent=1))


def load_shards(folder: str) -> list[Shard] | None:
    """Returns the files that `folder/manifest.json` names; None when it is another kind of manifest or absent.

    Raises:
        ManifestError: The file is no JSON, or its list of shards is unusable.
    """
    place = storage.join(folder, MANIFEST)
    if not storage.exists(place):
        return None
    try:
        content = json.loads(storage.read_text(place))
        if not isinstance(content, dict) or "shards" not in content:
            return None
        shards = [
            Shard(**{**shard, "blocks": tuple((int(n), int(size)) for n, size in shard.get("blocks", []))})
            for shard in content["shards"]
        ]
        for shard in shards:
            storage.below(folder, shard.path)
        return shards
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(
            f"{place} is not usable ({type(error).__name__}: {error}); delete it to read the files without it."
        ) from error


def stored_type(kind: T.DataType) -> str:
    """Returns what a Spark type becomes in the file: `int64`, `float32`, `string`, `binary`, or lists of these."""
    if isinstance(kind, T.ArrayType):
        return f"list<{stored_type(kind.elementType)}>"
    if isinstance(kind, T.FloatType | T.DoubleType | T.DecimalType):
        return "float32"
    if isinstance(kind, T.StringType):
        return "string"
    return "binary" if isinstance(kind, T.BinaryType) else "int64"
