"""What Spark learned about the raw fields: plain numbers, readable without Spark or TensorFlow."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from emberline.features import storage
from emberline.features.errors import BadInputError, nearest
from emberline.features.plain import tuples

VOCABULARIES = "vocabularies"
"""The folder of the vocabulary files, beside `features.json`."""


@dataclass(frozen=True)
class LearnedQuantiles:
    """What a column asks Spark to learn: the ends of `parts` equal shares of a number field's ranks."""

    field: str
    parts: int


@dataclass(frozen=True)
class LearnedVocabulary:
    """What a column asks Spark to learn: the values of a field, most frequent first.

    Args:
        field: Raw string or integer field.
        size: At most so many values; 0 for all.
        minimum_count: Leave out values rarer than this.
    """

    field: str
    size: int = 0
    minimum_count: int = 1


Need = LearnedQuantiles | LearnedVocabulary


@dataclass(frozen=True)
class VocabularyFile:
    """A learned vocabulary: a text file of `value <tab> count` lines, by falling count, ties by value.

    Args:
        path: Relative to the folder of the statistics.
        words: Lines in it.
        cuts: How many of the lines have at least the count, for each count that some column named.
        left_out: Different values that are not in the file: too rare, beyond the size, or holding a tab or a
            line break, which such a file cannot express.
        sha256: Of the file's bytes.
    """

    path: str
    words: int
    cuts: tuple[tuple[int, int], ...] = ()
    left_out: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class ImageStatistics:
    """Facts about the images of a field.

    Args:
        heights: As they came, in pixels, upright: smallest, mean and largest; None where it is not known.
        widths: The same.
        means: Of each channel, as they are stored, on the scale of 0 to 1.
        deviations: Population standard deviations of the same.
    """

    heights: tuple[float, float, float] | None
    widths: tuple[float, float, float] | None
    means: tuple[float, ...]
    deviations: tuple[float, ...]


@dataclass(frozen=True)
class SoundStatistics:
    """Facts about the sounds of a field, each smallest, mean and largest.

    Args:
        seconds: How long they last.
        rates: Samples per second, as they came.
        levels: Root of the mean square in decibels, 0 for a sound of nothing but the largest samples; -100 for silence.
    """

    seconds: tuple[float, float, float]
    rates: tuple[float, float, float]
    levels: tuple[float, float, float]


@dataclass(frozen=True)
class FieldStatistics:
    """Facts about one raw field of one split.

    Args:
        count: Rows with a value.
        missing: Rows without one.
        values: Values in all rows together; differs from `count` for fields that hold several per row.
        lengths: Values per row that has any, smallest, mean and largest (fields of any number of values only).
        infinite: Values that are infinite; no other fact about numbers takes them in.
        mean: Arithmetic mean (numbers only, as all that follow up to `histogram`).
        deviation: Population standard deviation.
        minimum: Smallest value.
        maximum: Largest value.
        zeros: Values that are zero.
        log_mean: Mean of log(1 + x) over values x >= 0, negative ones counting as 0.
        log_deviation: Population standard deviation of the same.
        quantiles: Values of the field at equally spaced ranks, ends included: the i-th of q + 1 is the one at rank
            ceil(n i / q) of n. Every part that a column asked for divides q.
        rank_error: No quantile is further from its rank than this share of the values; 0 means exact.
        histogram: Counts in equally wide bins from minimum to maximum, the last one closed; one for a constant.
        distinct: Number of different values, exact; absent for numbers of too many different values to tell.
        text_lengths: Characters, smallest, mean and largest over all values (strings only).
        top: At most 100 most frequent values by falling count, ties by value: `(value, count)` (strings and integers
            with a learned vocabulary). Of a value longer than 200 characters the first 200 and `…`.
        vocabulary: The whole vocabulary, where a column asked for it.
        image: Sizes and channels (images only).
        sound: Lengths, rates and levels (sounds only).
    """

    count: int
    missing: int
    values: int = 0
    lengths: tuple[float, float, float] | None = None
    infinite: int = 0
    mean: float | None = None
    deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    zeros: int | None = None
    log_mean: float | None = None
    log_deviation: float | None = None
    quantiles: tuple[float, ...] = ()
    rank_error: float | None = None
    histogram: tuple[int, ...] = ()
    distinct: int | None = None
    text_lengths: tuple[float, float, float] | None = None
    top: tuple[tuple[str, int], ...] = ()
    vocabulary: VocabularyFile | None = None
    image: ImageStatistics | None = None
    sound: SoundStatistics | None = None


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of one of several labels.

    Args:
        classes: Rows of each class, by class id; empty for a numeric label.
        numbers: Statistics of a numeric label; None for classes.
    """

    classes: tuple[int, ...] = ()
    numbers: FieldStatistics | None = None


@dataclass(frozen=True)
class Statistics:
    """Statistics of every field, and of the label.

    Args:
        rows: Rows analysed.
        classes: Rows of each class of the label, by class id; empty for a numeric label.
        label: Statistics of a numeric label; None for classes.
        fields: Statistics by field name.
        more_labels: The same of further labels, by name.
        folder: URI of the folder that holds the vocabulary files; not part of the JSON.

    Example:
        >>> from emberline.features.statistics import FieldStatistics, Statistics
        >>> statistics = Statistics(rows=4, classes=(3, 1), fields={"age": FieldStatistics(4, 0, mean=40.0)})
        >>> Statistics.from_json(statistics.to_json()) == statistics
        True
    """

    rows: int
    classes: tuple[int, ...] = ()
    label: FieldStatistics | None = None
    fields: dict[str, FieldStatistics] = field(default_factory=dict)
    folder: str = field(default="", compare=False)
    more_labels: dict[str, "LabelStatistics"] = field(default_factory=dict)

    def about(self, label: str) -> "Statistics":
        """Returns the same with `classes` and `label` of one label; a name that is no further label means the first."""
        found = self.more_labels.get(label)
        return replace(self, classes=found.classes, label=found.numbers) if found else self

    def of(self, name: str) -> FieldStatistics:
        """Returns the statistics of the field `name`.

        Raises:
            BadInputError: if nothing was learned about it.
        """
        if name not in self.fields:
            raise BadInputError(f"No statistics for field {name!r}. {nearest(name, self.fields)}")
        return self.fields[name]

    def vocabulary(self, name: str) -> VocabularyFile:
        """Returns the learned vocabulary of the field `name`.

        Raises:
            BadInputError: if none was learned.
        """
        found = self.of(name).vocabulary
        if found is None:
            raise BadInputError(
                f"No vocabulary was learned for field {name!r}. Give the column its words, or run etl with this column."
            )
        return found

    def vocabulary_uri(self, name: str) -> str:
        """Returns where the vocabulary file of the field `name` lies."""
        return storage.below(self.folder, self.vocabulary(name).path)

    @property
    def vocabulary_files(self) -> tuple[VocabularyFile, ...]:
        """The learned vocabularies of all fields."""
        return tuple(facts.vocabulary for facts in self.fields.values() if facts.vocabulary)

    def copy_vocabularies(self, folder: str) -> "Statistics":
        """Returns the same statistics at `folder`, to which the vocabulary files are copied.

        Raises:
            BadInputError: if a file is not the one that was learned.
        """
        for file in self.vocabulary_files:
            source = storage.below(self.folder, file.path)
            words = storage.read_bytes(source)
            if file.sha256 and hashlib.sha256(words).hexdigest() != file.sha256:
                raise BadInputError(f"The vocabulary {source!r} was changed after it was learned. Run etl again.")
            storage.write_bytes_atomic(storage.below(folder, file.path), words)
        return self.at(folder)

    def at(self, folder: str) -> "Statistics":
        """Returns the same statistics, their vocabulary files in another folder."""
        return replace(self, folder=folder)

    def to_json(self) -> dict[str, Any]:
        """Returns a plain description; `from_json` reads it back."""
        more = {
            name: {"classes": list(found.classes), "label": None if found.numbers is None else _facts(found.numbers)}
            for name, found in self.more_labels.items()
        }
        return {
            "rows": self.rows,
            "classes": list(self.classes),
            "label": None if self.label is None else _facts(self.label),
            "fields": {name: _facts(facts) for name, facts in sorted(self.fields.items())},
        } | ({"more_labels": more} if more else {})

    @classmethod
    def from_json(cls, data: dict[str, Any], folder: str = "") -> "Statistics":
        """Returns the reverse of `to_json`.

        Args:
            data: What `to_json` gave.
            folder: URI of the folder with the vocabulary files.
        """
        return cls(
            data["rows"],
            *_label_statistics(data),
            {name: _field_statistics(facts) for name, facts in data["fields"].items()},
            folder,
            {name: LabelStatistics(*_label_statistics(found)) for name, found in data.get("more_labels", {}).items()},
        )


def _label_statistics(data: dict[str, Any]) -> tuple[tuple[int, ...], FieldStatistics | None]:
    label = data.get("label")
    return tuple(data["classes"]), None if label is None else _field_statistics(label)


def _facts(facts: FieldStatistics) -> dict[str, Any]:
    usual = {item.name: item.default for item in dataclass_fields(facts)}
    return {key: value for key, value in asdict(facts).items() if value != usual[key]}


def _field_statistics(facts: dict[str, Any]) -> FieldStatistics:
    vocabulary, image, sound = facts.get("vocabulary"), facts.get("image"), facts.get("sound")
    plain = {key: tuples(value) for key, value in facts.items() if key not in ("vocabulary", "image", "sound")}
    listed = VocabularyFile(**{key: tuples(value) for key, value in vocabulary.items()}) if vocabulary else None
    seen = ImageStatistics(**{key: tuples(value) for key, value in image.items()}) if image else None
    heard = SoundStatistics(**{key: tuples(value) for key, value in sound.items()}) if sound else None
    return FieldStatistics(**plain, vocabulary=listed, image=seen, sound=heard)


def merged(needs: Iterable[Need]) -> dict[str, tuple[Need, ...]]:
    """Returns what was asked, by field, each once."""
    by_field: dict[str, tuple[Need, ...]] = {}
    for need in needs:
        known = by_field.setdefault(need.field, ())
        if need not in known:
            by_field[need.field] = (*known, need)
    return by_field
