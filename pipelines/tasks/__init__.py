"""What a model is for: to tell two classes apart, several, or to say a number; or to make, mark or place what it reads.

Everything that depends on it stands in this folder, one module per task: the loss, the columns of a prediction,
the metrics of an epoch and those of an evaluation. Training, export, evaluation, registry and scoring ask the
task and know no more. Imports neither TensorFlow nor Spark before it must.
"""

from emberline.features.errors import BadInputError
from emberline.features.schema import Label, Schema
from emberline.features.statistics import Statistics
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tasks.binary import Binary
from emberline.pipelines.tasks.embedding import Embedding
from emberline.pipelines.tasks.generation import Generation
from emberline.pipelines.tasks.language import Language
from emberline.pipelines.tasks.multiclass import Multiclass
from emberline.pipelines.tasks.reconstruction import Reconstruction
from emberline.pipelines.tasks.regression import Regression
from emberline.pipelines.tasks.segmentation import Segmentation
from emberline.pipelines.tasks.task import Task
from emberline.pipelines.tasks.translation import Translation
from emberline.pipelines.tasks.vectors import Vectors


def task_of(label: Label, statistics: Statistics | None = None) -> Task:
    """The task a label stands for.

    Args:
        label: Classes, or a number.
        statistics: Of the training split; a numeric label's loss and predictions need them, its names do not.
    """
    match label.task:
        case "binary":
            return Binary(label.class_names)
        case "multiclass":
            return Multiclass(label.class_names)
        case "regression":
            return Regression.of(statistics)
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


def require_fit(recipe: Recipe, schema: Schema) -> None:
    """Refuses, before anything runs, a recipe that does not fit the label of its data.

    Raises:
        BadInputError: if the network has another number of outputs than the label needs, the gate asks for a
            metric this task does not have, or the label or key is called like a column of predictions.
    """
    label, task = schema.label, task_of(schema.label)
    if recipe.model.outputs != task.outputs:
        what = (
            f"for {label.purpose}" if label.purpose
            else f"{len(label.classes)} classes ({', '.join(label.class_names)})" if label.classes
            else "a number"
        )  # fmt: skip
        wanted = (
            "several outputs by name" if not task.outputs
            else f"{task.outputs} outputs, one per class" if task.outputs > 1
            else "1 output"
        )  # fmt: skip
        raise BadInputError(
            f"Recipe {recipe.name!r}: its label {label.name!r} is {what}, for which a network has {wanted}; this one "
            f"has model.outputs={recipe.model.outputs}. Set model.outputs={task.outputs}."
        )
    if recipe.gate.metric not in task.metrics:
        raise BadInputError(
            f"Recipe {recipe.name!r}: gate.metric is {recipe.gate.metric!r}, and the metrics of a {label.task} label "
            f"are {', '.join(task.metrics)}. Set gate.metric to one of them."
        )
    taken = {column.name for column in task.columns} & {label.name, schema.key}
    if taken:
        raise BadInputError(
            f"Recipe {recipe.name!r}: the data's {' and '.join(sorted(taken))} would collide with the column of that "
            "name in predictions. Rename it in the dataset's Schema."
        )
