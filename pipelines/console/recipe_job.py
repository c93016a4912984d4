"""What the jobs of one recipe have in common: arguments to recipe, session, tracker and a run, then the last line."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.pipelines.runtime.outcome import conclude

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from emberline.pipelines.recipe import Recipe
    from emberline.pipelines.tracking import Tracker


@dataclass(frozen=True)
class RecipeJob:
    """What a step is given.

    Args:
        spark: The session.
        recipe: With the fields that `--set` replaced.
        tracker: Where runs are recorded and models registered.
    """

    spark: "SparkSession"
    recipe: "Recipe"
    tracker: "Tracker"


def run_recipe_job(name: str, given: argparse.Namespace, step: Callable[[RecipeJob], object]) -> int:
    """Runs a step of a recipe as a job, below the run of `--pipeline-run` if that is given.

    Args:
        name: Of the job.
        given: Arguments as of `emberline.pipelines.runtime.arguments.job_parser`, `add_pipeline_run` and `add_master`.
        step: The work; what it returns is the job's result.

    Returns:
        The exit code, as `emberline.pipelines.runtime.outcome.conclude`.
    """

    def work() -> object:
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"{name} {recipe.name}", given.master, reads=getattr(given, "input", None)) as spark, runs:
            return step(RecipeJob(spark, recipe, tracker))

    return conclude(name, work, given.submission)
