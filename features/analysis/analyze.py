"""Learns statistics of all fields in Spark, in two passes over the rows; the second only looks at numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from emberline.features import storage
from emberline.features.analysis.first_pass import CLASSES, LENGTHS, ROW, WORDS, FirstMerge, FirstPass
from emberline.features.analysis.images import image_statistics
from emberline.features.analysis.numbers import (
    QUANTILES,
    found_in,
    number_statistics,
    plan,
    rounded,
    rows_and_classes,
)
from emberline.features.analysis.partials import PARTIAL, Merge, gather, gather_here
from emberline.features.analysis.passes import ShapePass, merge_numbers
from emberline.features.analysis.sounds import sound_statistics
from emberline.features.analysis.sources import Pass, Rows, column_names, run_pass
from emberline.features.analysis.words import ATTEMPT, VocabularyWriter, WordFacts, facts_of
from emberline.features.errors import BadInputError, nearest
from emberline.features.names import file_stem
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import (
    VOCABULARIES,
    FieldStatistics,
    LabelStatistics,
    LearnedQuantiles,
    LearnedVocabulary,
    Need,
    Statistics,
    VocabularyFile,
    merged,
)

_STEPS = 20
"""Quantiles always hold every 5 % of the ranks, the median among them."""


def analyze(rows: Rows, schema: Schema, folder: str, needs: Iterable[Need] = ()) -> Statistics:
    """Returns the statistics of checked rows, learned in two passes over them; images and sounds in one more each.

    Missing is what a transform graph takes as missing: null, NaN, the empty text, and -1 in an integer field.

    Args:
        rows: Good rows, typed as `emberline.features.validation.rows.check_rows` leaves them; the label may be absent.
            Stored
            rows are analysed faster than those of a plan, which pass through the JVM, twice; those of a table, which
            are few, faster still, without Spark.
        schema: Their fields and label.
        folder: URI of the folder that takes the vocabulary files, under `vocabularies`.
        needs: What the columns ask for.

    Returns:
        The same statistics for the same rows, in whatever order or partitioning they come.

    Raises:
        BadInputError: if a field is not among the columns of `rows`, or cannot have what is needed of it.
    """
    by_field = merged(needs)
    _require_learnable(rows, schema, by_field)
    vocabularies = {
        name: tuple(need for need in asked if isinstance(need, LearnedVocabulary)) for name, asked in by_field.items()
    }
    counted = tuple(field for field in schema.fields if field.kind == "string" or vocabularies.get(field.name))
    numbers = {field.name: field.many for field in schema.fields if field.kind in ("integer", "float")}
    present = column_names(rows)
    labels = [label for label in schema.labels if label.name in present]
    numbers |= {label.name: False for label in labels if not label.classes and label.name not in numbers}
    target = storage.join(folder, VOCABULARIES)
    classed = [label for label in labels if label.classes]
    first = FirstPass(tuple(numbers), counted, tuple(label.name for label in classed))
    asked = {index: vocabularies.get(field.name, ()) for index, field in enumerate(counted)}
    answers = _run(rows, first.columns, first, FirstMerge(VocabularyWriter(asked, target)))

    ranges = {name: found_in(answers[index]) for index, name in enumerate(numbers) if index in answers}
    plans = {name: made for name, found in ranges.items() if (made := plan(found)) is not None}
    shapes = {}
    if plans:
        second = _run(rows, list(plans), ShapePass(plans), merge_numbers)
        shapes = {name: found_in(second[index]) for index, name in enumerate(plans)}
    total, _ = rows_and_classes(found_in(answers[ROW])) if ROW in answers else (0, {})
    found = {label.name: _classes(label, answers, place) for place, label in enumerate(classed)}
    parts = {name: _parts(asked) for name, asked in by_field.items()}

    facts = {
        name: number_statistics(
            ranges.get(name), shapes.get(name), plans.get(name), total, parts.get(name, QUANTILES), many=many
        )
        for name, many in numbers.items()
    }
    facts |= image_statistics(rows, [field for field in schema.fields if field.kind == "image" and field.shape], total)
    facts |= sound_statistics(rows, [field for field in schema.fields if field.kind == "sound"], total)
    fields = {field.name for field in schema.fields}
    learned_labels = {
        label.name: LabelStatistics(
            found.get(label.name, ()), None if label.name in fields else facts.pop(label.name, None)
        )
        for label in labels
    }
    for index, field in enumerate(counted):
        learned = facts_of(answers[WORDS + index]) if WORDS + index in answers else WordFacts()
        if field.kind == "string":
            several = found_in(answers[LENGTHS + index]) if LENGTHS + index in answers else None
            facts[field.name] = number_statistics(several, None, None, total, QUANTILES, many=field.several)
        facts[field.name] = _with_words(field, facts[field.name], learned, total)
        if vocabularies.get(field.name):
            vocabulary = _published(field.name, learned, vocabularies[field.name], target)
            facts[field.name] = replace(facts[field.name], vocabulary=vocabulary)
    for entry in storage.list_files(target):
        if entry.uri.rpartition("/")[2].startswith(ATTEMPT):
            storage.delete(entry.uri)  # of a task that failed or was repeated
    main = learned_labels.pop(schema.label.name, LabelStatistics())
    return Statistics(total, main.classes, main.numbers, facts, folder, learned_labels)


def _classes(label: Label, answers: Mapping[int, bytes], place: int) -> tuple[int, ...]:
    """Returns rows of each class of the label of classes that is the `place`-th."""
    number = ROW if place == 0 else CLASSES - (place - 1)
    counts = rows_and_classes(found_in(answers[number]))[1] if number in answers else {}
    return tuple(counts.get(index, 0) for index in range(len(label.classes)))


def _run(rows: Rows, columns: Sequence[str], step: Pass, merge: Merge) -> dict[int, bytes]:
    if isinstance(rows, pa.Table):
        return gather_here(step(iter([rows])), merge)
    return gather(run_pass(rows, columns, step, PARTIAL), merge)


def _require_learnable(rows: Rows, schema: Schema, by_field: dict[str, tuple[Need, ...]]) -> None:
    present = column_names(rows)
    for field in schema.fields:
        if field.name not in present:
            raise BadInputError(f"The rows have no column {field.name!r}. {nearest(field.name, present)}")
    for name, asked in by_field.items():
        kind = schema.field(name).kind
        for need in asked:
            if isinstance(need, LearnedQuantiles) and (kind in ("string", "image", "sound") or need.parts < 1):
                raise BadInputError(f"{need} needs a number field and at least one part; field {name!r} is {kind}.")
            if isinstance(need, LearnedVocabulary) and kind in ("float", "image", "sound"):
                raise BadInputError(f"{need}: field {name!r} is {kind} and has no vocabulary. Bucketize numbers.")


def _parts(asked: Sequence[Need]) -> int:
    """Returns the smallest number of equal shares, 100 at least, that every asked number divides."""
    common = math.lcm(_STEPS, *(need.parts for need in asked if isinstance(need, LearnedQuantiles)))
    return common * -(-QUANTILES // common)


def _with_words(field: Field, facts: FieldStatistics, words: WordFacts, rows: int) -> FieldStatistics:
    """Returns `facts` with what the counted values add."""
    top = tuple((word, count) for word, count in words.top)
    if field.kind == "integer":
        return replace(facts, top=top, distinct=words.distinct)
    count = facts.count if field.several else words.values
    lengths = facts.lengths and (facts.lengths[0], rounded(words.values / count), facts.lengths[2])
    characters = None
    if words.shortest is not None:
        characters = (words.shortest, rounded(words.characters / words.values), words.longest)
    return FieldStatistics(
        count=count,
        missing=rows - count,
        values=words.values,
        lengths=lengths,
        distinct=words.distinct,
        text_lengths=characters,
        top=top,
    )


def _published(name: str, words: WordFacts, needs: Sequence[LearnedVocabulary], target: str) -> VocabularyFile:
    """Gives the file that a task wrote its final name."""
    file = f"{file_stem(name)}.txt"
    final = storage.join(target, file)
    if words.path:
        storage.move(storage.join(target, words.path), final)
    else:
        storage.write_bytes_atomic(final, b"")
    counts = {need.minimum_count: 0 for need in needs} | {int(key): count for key, count in words.cuts.items()}
    return VocabularyFile(
        f"{VOCABULARIES}/{file}",
        words.words,
        tuple(sorted(counts.items())),
        words.distinct - words.words,
        storage.sha256(final),
    )
