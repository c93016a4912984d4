"""What was written: the shards of a dataset with rows, sizes and checksums, and the plan of equal steps.

Light on purpose (no TensorFlow, no numba): the driver, the trainer and the command line read it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import pyarrow as pa

from emberline.features import storage

Layout = Literal["plain", "packed", "block"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_LEAVES = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string(), "binary": pa.binary()}
_PIXEL = "uint8"


class ManifestError(ValueError):
    """A manifest that cannot be used, or files that do not match it; the message names the file."""


@dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
        path: relative to the folder of the set.
        rows, records: rows of data, and TFRecords that hold them (fewer in the `block` layout).
        bytes, crc32c: size and CRC-32C of the stored file.
        blocks: run lengths (how many blocks, bytes of each): consecutive byte ranges of `rows_per_block` rows (the last
            range may hold fewer), for random access. Empty for compressed files.
    """

    path: str
    rows: int
    records: int
    bytes: int
    crc32c: int
    blocks: tuple[tuple[int, int], ...] = ()

    def block_offsets(self) -> list[int]:
        """Returns the byte offset of each block, and the file's size at the end; [] for compressed files."""
        offsets, position = [], 0
        for count, size in self.blocks:
            for _ in range(count):
                offsets.append(position)
                position += size
        return [*offsets, position] if offsets else []


@dataclass(frozen=True)
class Plan:
    """How many steps an epoch has, and which rows each worker takes from the (possibly permuted) row sequence.

    Attributes:
        steps_per_epoch: the same for every worker.
        batch_per_worker: rows of one worker's batch.
        ranges: (first, behind the last) row of each worker; equal sizes, disjoint.
    """

    steps_per_epoch: int
    batch_per_worker: int
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ShardSet:
    """The shards of one part of a dataset, all with the same schema and layout.

    Attributes:
        schema: int64, float32, string, binary, list or fixed_size_list of int64 or float32, fixed_size_list of uint8.
        layout: `plain`, `packed` or `block`, see `emberline.features.tfrecord.layouts`.
        codec: None, "gzip" or "zlib".
        rows_per_block: rows of a block record (and of a random access unit in the other layouts).
        shards: in the order of their rows.
        lengths: of each list column, how many elements the rows have: the smallest number, and those at every
            hundredth of the rows' ranks. Empty if nobody counted.

    Example:
        >>> import pyarrow as pa
        >>> shard = Shard("train-00000.tfrecord", rows=100, records=1, bytes=4096, crc32c=0)
        >>> shards = ShardSet(pa.schema({"age": pa.float32()}), "block", None, 500, (shard,))
        >>> shards.plan(global_batch=32, workers=2).steps_per_epoch
        3
    """

    schema: pa.Schema
    layout: Layout
    codec: str | None
    rows_per_block: int
    shards: tuple[Shard, ...]
    lengths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of all shards."""
        return sum(shard.rows for shard in self.shards)

    def to_json(self) -> dict[str, Any]:
        """Returns a plain JSON object, readable by people."""
        return {
            "layout": self.layout,
            "codec": self.codec or "none",
            "rows_per_block": self.rows_per_block,
            "rows": self.rows,
            "schema": [{"name": item.name, "type": type_name(item.name, item.type)} for item in self.schema],
            "shards": [asdict(shard) | {"blocks": [list(run) for run in shard.blocks]} for shard in self.shards],
        } | ({"lengths": {name: list(found) for name, found in self.lengths.items()}} if self.lengths else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | str) -> "ShardSet":
        """Returns the inverse of `to_json`; takes the object or its text.

        Raises:
            ManifestError: a field is missing or has an unknown value.
        """
        try:
            content = json.loads(value) if isinstance(value, str) else value
            shards = tuple(
                Shard(**{**shard, "blocks": tuple((int(n), int(size)) for n, size in shard.get("blocks", []))})
                for shard in content["shards"]
            )
            for shard in shards:
                storage.below("", shard.path)  # a name that leads elsewhere is no shard of this set
            if content["layout"] not in LAYOUTS:
                raise ValueError(f"Layout {content['layout']!r} is not one of {', '.join(LAYOUTS)}")
            schema = pa.schema([(item["name"], type_of(item["type"])) for item in content["schema"]])
            codec = None if content["codec"] in (None, "none") else str(content["codec"])
            lengths = {name: tuple(map(int, found)) for name, found in content.get("lengths", {}).items()}
            found = cls(schema, content["layout"], codec, int(content["rows_per_block"]), shards, lengths)
            if "rows" in content and content["rows"] != found.rows:
                raise ValueError(f"Rows is {content['rows']}, its shards add up to {found.rows}")
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(
                f"The manifest of the shards is not usable ({type(error).__name__}: {error}); write the dataset again."
            ) from error
        return found

    def verify(self, uri: str) -> None:
        """Compares the files under `uri` with sizes and checksums.

        Raises:
            ManifestError: naming the first file that is absent or differs.
        """
        from emberline.features.tfrecord.codec.framing import crc32c

        for shard in self.shards:
            place = storage.join(uri, shard.path)
            size, crc = 0, 0
            try:
                with storage.open_input(place) as stream:
                    while piece := stream.read(1 << 22):
                        size, crc = size + len(piece), crc32c(piece, crc)
            except FileNotFoundError as error:
                raise ManifestError(f"{place}: the file is missing; write the dataset again.") from error
            if size != shard.bytes:
                raise ManifestError(
                    f"{place}: has {size} bytes, the manifest says {shard.bytes}; write the dataset again."
                )
            if crc != shard.crc32c:
                raise ManifestError(
                    f"{place}: has CRC-32C {crc:08x}, the manifest says {shard.crc32c:08x}: "
                    "the file was changed or damaged."
                )

    def plan(self, workers: int, global_batch: int) -> Plan:
        """Returns equal steps: every worker does floor(rows / global_batch) steps of global_batch / workers rows.

        Raises:
            ValueError: the batch does not divide among the workers, or there are too few rows for one step.
        """
        if workers < 1 or global_batch < 1 or global_batch % workers:
            raise ValueError(f"Global batch {global_batch} does not divide among {workers} workers; use a multiple.")
        steps = self.rows // global_batch
        if steps == 0:
            raise ValueError(
                f"{self.rows} rows are fewer than one global batch of {global_batch}; use a smaller batch."
            )
        share = steps * (global_batch // workers)
        return Plan(steps, global_batch // workers, tuple((w * share, (w + 1) * share) for w in range(workers)))


def type_name(column: str, kind: pa.DataType) -> str:
    """Returns how the manifest writes a type: int64, float32, string, binary, int64[n], float32[n], int64[], float32[]
    or uint8[n].

    Raises:
        ManifestError: the type is none of these.
    """
    for name, leaf in _LEAVES.items():
        if kind == leaf:
            return name
        if name in ("int64", "float32") and is_list(kind) and kind.value_type == leaf:
            return f"{name}[{kind.list_size if pa.types.is_fixed_size_list(kind) else ''}]"
    if pa.types.is_fixed_size_list(kind) and kind.value_type == pa.uint8():
        return f"{_PIXEL}[{kind.list_size}]"
    raise ManifestError(
        f"Column {column!r} of type {kind} is not a type of transformed data; "
        "cast it to int64, float32, string, binary, a list or fixed_size_list of int64 or float32, or a "
        "fixed_size_list of uint8."
    )


def is_list(kind: pa.DataType) -> bool:
    """Returns whether each row of the type holds several elements."""
    return bool(pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind))


def type_of(name: str) -> pa.DataType:
    """Returns the inverse of `type_name`."""
    leaf, bracket, size = name.partition("[")
    if leaf in _LEAVES and not bracket:
        return _LEAVES[leaf]
    if leaf in ("int64", "float32") and size == "]":
        return pa.list_(_LEAVES[leaf])
    if leaf in ("int64", "float32") and size.endswith("]") and size[:-1].isdecimal():
        return pa.list_(_LEAVES[leaf], int(size[:-1]))
    if leaf == _PIXEL and size.endswith("]") and size[:-1].isdecimal():
        return pa.list_(pa.uint8(), int(size[:-1]))
    raise ValueError(f"Type {name!r} is not known.")
