"""What a model is for: to tell two classes apart, several, or to say a number; or to make, mark or place what it reads.

Everything that depends on it stands in this folder, one module per task: the loss, the columns of a prediction,
the metrics of an epoch and those of an evaluation. Training, export, evaluation, registry and scoring ask the
task and know no more. Imports neither TensorFlow nor Spark before it must.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Label, Schema
from emberline.features.statistics import Statistics
from emberline.pipelines.metrics.definitions import CHANCE_AUC, is_smaller_better
from emberline.pipelines.recipe import Gate, Recipe
from emberline.pipelines.recipe.metric import OwnMetric
from emberline.pipelines.runtime.catalogue import Catalogue
from emberline.pipelines.tasks.binary import Binary
from emberline.pipelines.tasks.embedding import Embedding
from emberline.pipelines.tasks.generation import Generation
from emberline.pipelines.tasks.language import Language
from emberline.pipelines.tasks.losses import OwnLoss
from emberline.pipelines.tasks.measured import Measured
from emberline.pipelines.tasks.multiclass import Multiclass
from emberline.pipelines.tasks.reconstruction import Reconstruction
from emberline.pipelines.tasks.regression import Regression
from emberline.pipelines.tasks.segmentation import Segmentation
from emberline.pipelines.tasks.several import Several
from emberline.pipelines.tasks.task import OrdinaryTask, Task
from emberline.pipelines.tasks.translation import Translation
from emberline.pipelines.tasks.vectors import Vectors

TASKS = Catalogue("task", "TASK", "emberline.tasks")
"""Of projects: what a label's purpose names makes a `Task` of the label and, where they are known, its statistics."""


def task_of(target: Schema | Label, statistics: Statistics | None = None, recipe: Recipe | None = None) -> Task:
    """Returns the task that a label stands for, or several together.

    Args:
        target: A label, or a schema with one or more.
        statistics: Of the training split; a numeric label's loss and predictions need them, its names do not.
        recipe: May have losses and metrics of its own; not needed for the columns of a prediction.

    Raises:
        BadInputError: if the recipe's losses or metrics do not fit the labels.
    """
    labels = target.labels if isinstance(target, Schema) else (target,)
    own = _own_of(recipe, labels)
    if len(labels) == 1:
        return _single(labels[0], statistics, own[labels[0].name])
    tasks = {
        label.name: _ordinary(label, statistics.about(label.name) if statistics else None, own[label.name])
        for label in labels
    }
    return Several(tasks, recipe.training.loss_weights if recipe else {})


class _Own(NamedTuple):
    """What a recipe brings for one label."""

    loss: Any = ""
    standardized: bool = True
    metrics: tuple[OwnMetric, ...] = ()


def _own_of(recipe: Recipe | None, labels: Sequence[Label]) -> dict[str, _Own]:
    """Returns what the recipe brings, by label.

    Raises:
        BadInputError: if it names a label that there is not, or one loss for several.
    """
    names = [label.name for label in labels]
    if recipe is None:
        return dict.fromkeys(names, _Own())
    training, metrics = recipe.training, recipe.evaluation.metrics
    by_label = {
        "training.loss": training.loss,
        "training.loss_weights": training.loss_weights,
        "evaluation.metrics": metrics,
    }
    for field, given in by_label.items():
        for name in given if isinstance(given, Mapping) else ():
            if name not in names:
                raise BadInputError(f"Recipe {recipe.name!r}: {field} names a label {name!r}. {nearest(name, names)}")
    if len(names) > 1 and not isinstance(training.loss, Mapping) and training.loss != "":
        raise BadInputError(
            f"Recipe {recipe.name!r}: training.loss is one loss, and there are the labels {', '.join(names)}. Say "
            f"which it is of, such as {{{names[0]!r}: …}}."
        )
    return {
        name: _Own(
            training.loss.get(name, "") if isinstance(training.loss, Mapping) else training.loss,
            training.standardize_label,
            metrics.get(name, ()) if isinstance(metrics, Mapping) else metrics,
        )
        for name in names
    }


def _single(label: Label, statistics: Statistics | None, own: _Own) -> Task:
    if not label.purpose:
        return _ordinary(label, statistics, own)
    OwnLoss.of(own.loss, label, standardized=own.standardized)  # refuses any
    if own.metrics:
        raise BadInputError(
            f"evaluation.metrics has {', '.join(metric.name for metric in own.metrics)}; metrics of a recipe's own are "
            f"of labels that are predicted, and {label.name!r} is for {label.purpose}. Leave them out."
        )
    return _purposeful(label, statistics)


def _ordinary(label: Label, statistics: Statistics | None, own: _Own) -> OrdinaryTask:
    loss = OwnLoss.of(own.loss, label, standardized=own.standardized)
    ordinary: OrdinaryTask
    match label.task:
        case "binary":
            ordinary = Binary(label.class_names, loss)
        case "multiclass":
            ordinary = Multiclass(label.class_names, loss)
        case _:
            ordinary = Regression.of(statistics, loss, standardized=own.standardized)
    return Measured(ordinary, own.metrics) if own.metrics else ordinary


def _purposeful(label: Label, statistics: Statistics | None) -> Task:
    match label.purpose:
        case "reconstruction":
            return Reconstruction()
        case "generation":
            return Generation()
        case "segmentation":
            return Segmentation()
        case "embedding":
            return Embedding(label.class_names)
        case "vectors":
            return Vectors()
        case "language":
            return Language()
        case "translation":
            return Translation.of(label.writes, statistics)
        case name:
            made: Task = TASKS.named(name)(label, statistics)
            return made


def smaller_is_better(task: Task, metric: str) -> bool:
    """Returns whether less of a task's metric, or of the same of held-out rows, `eval_…`, is better."""
    directions: Mapping[str, bool] = getattr(task, "directions", {})
    plain = metric.removeprefix("eval_")
    return directions[plain] if plain in directions else is_smaller_better(metric)


def gate_of(recipe: Recipe, schema: Schema) -> Gate:
    """Returns the gate of a recipe with everything filled in that it leaves to the task of its label.

    Raises:
        BadInputError: if it asks for a metric that this task does not have, listing those that it has.
    """
    gate, task = recipe.gate, task_of(schema, recipe=recipe)
    metric = gate.metric or task.default_metric
    if metric not in task.metrics:
        what = f"a {schema.label.task} label" if not schema.more_labels else "these labels"
        raise BadInputError(
            f"Recipe {recipe.name!r}: gate.metric is {metric!r}, and the metrics of {what} are "
            f"{', '.join(task.metrics)}. Set gate.metric to one of them, or leave it out for {task.default_metric!r}."
        )
    chance = CHANCE_AUC if metric.rpartition("/")[2] == "auc" and gate.limit is None else gate.limit
    direction = smaller_is_better(task, metric) if gate.smaller_is_better is None else gate.smaller_is_better
    return replace(gate, metric=metric, limit=chance, smaller_is_better=direction)


def require_fit(recipe: Recipe, schema: Schema) -> None:
    """Refuses, before anything runs, a recipe that does not fit the labels of its data.

    Raises:
        BadInputError: if the network has another number of outputs than the labels need, the gate asks for a metric
            this task does not have, or a label or the key is called like a column of predictions.
    """
    task = task_of(schema, recipe=recipe)
    by_name = bool(schema.more_labels) and not recipe.model.outputs
    if recipe.model.outputs != task.outputs and not by_name:
        wanted = (
            "several outputs by name"
            if not task.outputs
            else f"{task.outputs} outputs, the sum over the labels, or 0 for one by name for each"
            if schema.more_labels
            else f"{task.outputs} outputs, one per class"
            if task.outputs > 1
            else "1 output"
        )
        subject = "its label" if not schema.more_labels else "its labels"
        raise BadInputError(
            f"Recipe {recipe.name!r}: {subject} {_described(schema.labels)}, for which a network has {wanted}; this "
            f"one has model.outputs={recipe.model.outputs}. Set model.outputs={task.outputs}."
        )
    gate_of(recipe, schema)
    predicted = [column.name for column in task.columns]
    twice = {name for name in predicted if predicted.count(name) > 1}
    taken = set(predicted) & {*(label.name for label in schema.labels), schema.key} | twice
    if taken:
        raise BadInputError(
            f"Recipe {recipe.name!r}: the data's {' and '.join(sorted(taken))} would collide with the column of that "
            "name in predictions. Rename it in the dataset's Schema."
        )


def _described(labels: Sequence[Label]) -> str:
    if len(labels) > 1:
        return f"are {', '.join(repr(label.name) for label in labels)}"
    (label,) = labels
    what = (
        f"for {label.purpose}"
        if label.purpose
        else f"{len(label.classes)} classes ({', '.join(label.class_names)})"
        if label.classes
        else "a number"
    )
    return f"{label.name!r} is {what}"
