"""The arguments of `score`: files or tables at once, or with `--stream` the messages of a topic."""

import argparse

from emberline.features.errors import BadInputError
from emberline.pipelines.console.recipe_job import RecipeJob
from emberline.pipelines.runtime.arguments import STREAM_ONLY

NOT_OF_STREAMS = ("overwrite", "partition_by", "output_table", "input_format", "options")
"""A stream numbers its batches, which are its partitions, and its messages are JSON."""


def score_given(job: RecipeJob, given: argparse.Namespace) -> object:
    """Scores what the arguments of `score` name, and returns the result."""
    if is_stream(given):
        return score_stream(job, given)
    from emberline.pipelines.datasets.source_format import table_format
    from emberline.pipelines.score import score

    return score(
        job.spark, job.recipe, given.model, given.input, given.output, job.tracker,
        overwrite=given.overwrite, layout=given.layout, keys=given.keys, partition_by=given.partition_by,
        output_table=given.output_table, batch_rows=given.batch_rows,
        form=table_format(given.input_format, given.options),
    )  # fmt: skip


def is_stream(given: argparse.Namespace) -> bool:
    """Returns whether a topic is to be scored.

    Raises:
        BadInputError: if arguments do not go together.
    """
    from emberline.pipelines.scoring.streaming.kafka import SCHEME

    if not given.stream:
        if said := [name for name in STREAM_ONLY if getattr(given, name) is not None]:
            raise BadInputError(f"{_options(said)} go with --stream, which was not given. Add it, or leave them out.")
        if given.input.startswith(SCHEME) or given.output.startswith(SCHEME):
            raise BadInputError(f"{SCHEME}TOPIC goes with --stream, which was not given. Add it, with --checkpoint.")
        return False
    if said := [name for name in NOT_OF_STREAMS if getattr(given, name)]:
        raise BadInputError(f"{_options(said)} do not go with --stream. Leave them out.")
    if lacking := [name for name in ("brokers", "checkpoint") if not getattr(given, name)]:
        raise BadInputError(f"--stream needs {_options(lacking)}, which were not given. Add them.")
    return True


def score_stream(job: RecipeJob, given: argparse.Namespace) -> object:
    """Runs a stream until it is stopped, and returns its result."""
    from emberline.pipelines.score_topic import MOST, Stream, score_topic
    from emberline.pipelines.scoring.streaming.kafka import EARLIEST, Kafka, read_settings

    stream = Stream(
        Kafka(given.brokers, read_settings(given.kafka_config) if given.kafka_config else {}),
        given.input,
        given.checkpoint,
        given.starting or EARLIEST,
        MOST if given.max_per_batch is None else given.max_per_batch,
        given.every or 0.0,
        bool(given.available_now),
    )
    return score_topic(
        job.spark, job.recipe, given.model, stream, given.output, job.tracker,
        layout=given.layout, keys=given.keys, batch_rows=given.batch_rows,
    )  # fmt: skip


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-').replace('options', 'option')}" for name in names)
