"""One dataset version on disk: shards per split, `features.json`, `manifest.json`, `rejected/`, `_SUCCESS` last."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emberline.features import storage
from emberline.features.columns import Transformed, describe
from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.features.tfrecord.manifest import ShardSet

FORMAT = "emberline-dataset/1"
MANIFEST, FEATURES, SUCCESS, REJECTED = "manifest.json", "features.json", "_SUCCESS", "rejected"
EXAMPLES = "examples.parquet"
"""A few raw rows: what goes into a model, for those who want to call it."""

MOST_DIFFERENCES = 200
"""Characters of what is said of a column that differs."""


class DatasetVersionError(BadInputError):
    """A folder that is no complete dataset version."""


@dataclass(frozen=True)
class DatasetVersion:
    """A complete dataset version.

    Args:
        uri: Its folder.
        manifest: The content of `manifest.json`.
        features: The content of `features.json`.
    """

    uri: str
    manifest: Mapping[str, Any]
    features: Mapping[str, Any]

    def split(self, name: str) -> ShardSet:
        """Returns the shards of one split.

        Raises:
            DatasetVersionError: if there is no such split.
        """
        splits = self.manifest["splits"]
        if name not in splits:
            raise DatasetVersionError(f"Dataset version {self.uri} has no split {name!r}. {nearest(name, splits)}")
        return ShardSet.from_json(splits[name])

    @property
    def digest(self) -> str:
        """Identifies the content: equal digests, equal rows and features."""
        return str(self.manifest["digest"])

    @property
    def synthetic(self) -> Mapping[str, Any] | None:
        """Facts about generated data; None for real data."""
        facts: Mapping[str, Any] | None = self.manifest["source"]["synthetic"]
        return facts

    @property
    def schema(self) -> Schema:
        """The raw fields."""
        return Schema.from_json(self.features["schema"])

    @property
    def images(self) -> dict[str, tuple[int, ...]]:
        """Height, width and channels of its images, by field."""
        fields = self.features["schema"].get("fields", [])
        return {field["name"]: tuple(field["shape"]) for field in fields if field["kind"] == "image"}

    @property
    def statistics(self) -> Statistics:
        """What Spark learned from the training split."""
        return Statistics.from_json(self.features["statistics"], self.uri)

    @property
    def cardinalities(self) -> dict[str, int]:
        """Number of ids of every categorical column."""
        return dict(self.features["cardinalities"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels in the shards."""
        schema = self.features["schema"]
        return tuple(str(label["name"]) for label in (schema["label"], *schema.get("more_labels", ())))

    @property
    def features_uri(self) -> str:
        """Where `features.json` lies."""
        return storage.join(self.uri, FEATURES)


def open_version(uri: str) -> DatasetVersion:
    """Reads the description of a complete version.

    Raises:
        DatasetVersionError: if the folder does not exist, was not finished, was written by another format, or was
            changed since.
    """
    if not storage.exists(uri):
        raise DatasetVersionError(
            f"No dataset version at {uri!r}: the path does not exist. Run etl with this --output."
        )
    if not storage.exists(storage.join(uri, SUCCESS)):
        raise DatasetVersionError(
            f"{uri!r} is not a complete dataset version: it has no {SUCCESS}, so the etl that wrote it was "
            "interrupted, or it is another kind of folder. Run etl again with --overwrite."
        )
    manifest = json.loads(storage.read_bytes(storage.join(uri, MANIFEST)))
    if manifest.get("format") != FORMAT:
        raise DatasetVersionError(
            f"{uri!r} has the format {manifest.get('format')!r}, this version of emberline reads {FORMAT!r}."
        )
    features = json.loads(storage.read_bytes(storage.join(uri, FEATURES)))
    if content_digest(features, manifest["splits"]) != manifest["digest"]:
        raise DatasetVersionError(
            f"{uri!r} was changed after it was written: {FEATURES} and the shards listed in {MANIFEST} do not have the "
            "digest that is noted there. Run etl again with --overwrite."
        )
    return DatasetVersion(uri, manifest, features)


def equal_meaning(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Returns whether ids and numbers of the columns that two `features.json` have in common mean the same."""
    columns = [{column["name"]: column for column in features["columns"]} for features in (one, other)]
    common = columns[0].keys() & columns[1].keys()
    return one["statistics"] == other["statistics"] and all(
        columns[0][name] == columns[1][name] and one["cardinalities"].get(name) == other["cardinalities"].get(name)
        for name in common
    )


def differing_columns(features: Mapping[str, Any], columns: Iterable[Transformed]) -> str:
    """Returns which of `columns` a `features.json` lacks, or holds with other settings, in words; empty if it has them
    all.

    Columns go by their names: their order makes no difference, and it may hold more of them.
    """
    have = {column["name"]: column for column in features["columns"]}
    need = {column["name"]: column for column in json.loads(json.dumps([describe(column) for column in columns]))}
    missing = [name for name in need if name not in have]
    changed = [name for name in need if name in have and have[name] != need[name]]
    others = [f"{name} ({_differences(have[name], need[name])})" for name in changed]
    told = [f"it has no {', '.join(missing)}"] if missing else []
    return "; ".join([*told, *([f"it has other settings of {', '.join(others)}"] if others else [])])


def _differences(have: Mapping[str, Any], need: Mapping[str, Any]) -> str:
    names = [name for name in need.keys() | have.keys() if need.get(name) != have.get(name)]
    return ", ".join(f"{name} {have.get(name)!r}, not {need.get(name)!r}" for name in sorted(names))[:MOST_DIFFERENCES]


def content_digest(features: Mapping[str, Any], splits: Mapping[str, Any]) -> str:
    """Returns SHA-256 over the features and the checksums of all shards."""
    content = json.dumps([features, splits], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
