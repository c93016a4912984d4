"""The executors' half of scoring: Arrow batches of rows in, predictions out, everything else into side files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark import TaskContext

from emberline.features import storage
from emberline.features.analysis.sources import ByteRange, groups_of, parts_of
from emberline.features.errors import BadInputError
from emberline.features.light_tensorflow import import_tensorflow
from emberline.features.parquet import open_parquet
from emberline.features.schema import Schema
from emberline.features.validation.rows import SOURCE, reason_of
from emberline.pipelines.saved_model.executors import arrow_arrays, load, task_threads
from emberline.pipelines.scoring.arrow_checks import check_batch, fits
from emberline.pipelines.scoring.side_files import Aside, Sample
from emberline.pipelines.scoring.streaming.messages import MessageReader
from emberline.pipelines.tasks.task import PredictionColumn


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Scores the rows of a partition.

    Args:
        schema: Fields of the model, and the key.
        predicted: Columns of its prediction.
        archive: The model, as `ship` named it.
        carried: Columns that go with a prediction, keys and the one that partitions, with the types they leave with.
        checked: Whether the rows come from `check_rows`, with a `reason` column; otherwise they are looked at here.
        batch_rows: Rows that the model takes at a time.
        side: URI of the folder of side files.
        sampled: Rows of the sample of a partition.
        messages: Reads the rows out of messages, where these are what comes.
    """

    schema: Schema
    predicted: tuple[PredictionColumn, ...]
    archive: str
    carried: tuple[tuple[str, pa.DataType], ...]
    checked: bool
    batch_rows: int
    side: str
    sampled: int
    messages: MessageReader | None = None

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Predictions: the carried columns, then those of the prediction."""
        predict = predictor(self.archive, self.schema, self.predicted)
        context = TaskContext.get()
        partition, attempt = (context.partitionId(), context.taskAttemptId()) if context else (0, 0)
        aside, sample = Aside(self.side, partition, attempt), Sample(self.sampled, partition)
        sampled = [field.name for field in self.schema.values.fields]
        names = [*(name for name, _ in self.carried), *(column.name for column in self.predicted)]
        for batch in (piece for whole in batches for piece in _pieces(whole, self.batch_rows)):
            rows, accepted = self._judged(batch)
            kept = rows if self.messages else batch
            if accepted is not None:
                aside.add(batch.filter(pa.array(~accepted)))
                kept, rows = kept.filter(pa.array(accepted)), rows.filter(pa.array(accepted))
            if rows.num_rows:
                if sampled:
                    sample.add(rows.select(sampled))
                carried = [_as(kept.column(name), kind) for name, kind in self.carried]
                yield pa.RecordBatch.from_arrays([*carried, *predict(rows)], names=names)
        aside.close()
        sample.write(self.side, partition)

    def _judged(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, np.ndarray | None]:
        if self.messages:
            read, understood = self.messages.typed(batch)
            rows, accepted = check_batch(read, self.schema)
            accepted = understood if accepted is None else understood & accepted
            return rows, None if accepted.all() else accepted
        if not self.checked:
            return check_batch(batch, self.schema)
        reason = batch.column(reason_of(batch.schema.names))
        return batch, None if reason.null_count == len(reason) else np.asarray(reason.is_null())


@dataclass(frozen=True)
class OfBatches:
    """Scores what Spark sends, whose columns have no names of their own: PySpark stumbles over dots in names."""

    columns: tuple[str, ...]
    score: Scorer

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.score(batch.rename_columns(list(self.columns)) for batch in batches)


@dataclass(frozen=True)
class OfFiles:
    """Scores Parquet files that the executor reads itself: a row passes neither through the JVM nor a pipe, and texts
    stay as the file encodes them.

    Args:
        columns: Those to read.
        splits: What each number that comes in stands for.
        score: What to do with the rows.
    """

    columns: tuple[str, ...]
    splits: Sequence[tuple[ByteRange, ...]]
    score: Scorer

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.score(rows for part in parts_of(batches, self.splits) for rows in self._read(part))

    def _read(self, part: ByteRange) -> Iterator[pa.RecordBatch]:
        texts = [field.name for field in self.score.schema.fields if field.kind == "string" and not field.many]
        with storage.open_random(part.uri) as stream:
            part.require_planned(stream.size())
            file = open_parquet(stream, texts)
            types = {item.name: item.type for item in file.schema_arrow}
            for field in self.score.schema.fields:
                if not fits(self.score.schema.subset({field.name}), types):
                    raise BadInputError(
                        f"{part.uri}: column {field.name!r} is of type {types.get(field.name, 'none')}, unlike that of "
                        "the other files. Write all files of a table with the same types."
                    )
            groups = list(groups_of(file, part))
            options = {"columns": list(self.columns), "use_threads": False}  # the tasks of a host share its cores
            for batch in file.iter_batches(self.score.batch_rows, groups, **options) if groups else ():
                rows = batch.select(list(self.columns))
                yield rows.append_column(
                    SOURCE, pa.DictionaryArray.from_arrays(np.zeros(len(rows), np.int32), [part.uri])
                )


def predictor(
    archive: str, schema: Schema, predicted: Sequence[PredictionColumn]
) -> Callable[[pa.RecordBatch], list[pa.Array]]:
    """Returns the model as a function from good rows to the columns of their predictions, in an executor."""
    import_tensorflow()
    from emberline.features.tensors import encoded_tensors, raw_tensors

    # Models of earlier versions take whole texts only.
    name, spec, call = load(archive, ("serve_encoded", "serving_default"), task_threads())
    inputs = schema.subset(set(spec) & {field.name for field in schema.fields})
    if name == "serving_default":
        return lambda rows: arrow_arrays(call(raw_tensors(rows, inputs)), predicted)
    return lambda rows: arrow_arrays(call(encoded_tensors(rows, inputs, spec)), predicted)


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)


def _pieces(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
