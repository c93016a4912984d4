"""The trained model as one SavedModel from raw columns to scores, loadable by plain TensorFlow."""

import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from emberline.features import storage
from emberline.features.columns import Embedding, Segments, Vocabulary, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.names import safe_name, user_name
from emberline.features.transform import TransformGraph
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.saved_model.digest import model_digest
from emberline.pipelines.saved_model.named_inputs import renamed_inputs
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tasks.task import Task, main_output
from emberline.pipelines.tasks.vectors import Vectors
from emberline.pipelines.text.generation import NEXT_WORD
from emberline.pipelines.text.word_vectors import VECTORS, WordVectors
from emberline.pipelines.training.step.training_step import named_variables
from emberline.pipelines.training.tensorboard.projector import words_of


class Scorer(tf.Module):
    """The transform graph in front of the network.

    Args:
        transform: Raw columns to model inputs.
        model: Model inputs to the network's outputs.
        task: Outputs to predictions.
        weights: The network's variables by name, as `take_weights` looks for them.
        absent: Inputs that it does without.
    """

    def __init__(
        self,
        transform: TransformGraph,
        model: keras.Model,
        task: Task,
        weights: dict[str, tf.Variable],
        absent: tuple[str, ...] = (),
    ) -> None:
        super().__init__(name="emberline")
        self.transform = transform
        self._task = task
        self.weights = weights
        self._model = model
        self._absent = dict.fromkeys(absent)
        self.carried: keras.Model | None = None

    @property
    def absent(self) -> tuple[str, ...]:
        """Inputs that it does without."""
        return tuple(self._absent)

    def score_transformed(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the prediction, column by column, from stored columns."""
        return self._task.predict(main_output(self._model({**self._absent, **inputs}, training=False)))

    def score_raw(self, columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the same from raw columns."""
        return self.score_transformed(self.transform(columns))

    def score_encoded(self, columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the same from raw columns whose texts are encoded; what batch scoring calls."""
        return self.score_transformed(self.transform.from_encoded(columns))

    def score_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the same from serialized `tf.train.Example`s of raw columns; absent features are missing values."""
        return self.score_raw(self.transform.parse(examples))


def export(recipe: Recipe, version: DatasetVersion, trained: keras.Model, target: str) -> str:
    """Writes the SavedModel, `features.json` with its vocabularies, and `recipe.json`; of word vectors the table.

    Args:
        recipe: What was trained.
        version: The dataset version it was trained on.
        trained: The trained network.
        target: URI of the model folder; replaced if there.

    Returns:
        Digest of its files.
    """
    columns = tuple(column for column in stored(recipe.model.columns) if column.name not in recipe.only_in_training)
    schema = version.schema.subset({field for column in columns for field in column.fields})
    model = recipe.model_module.build(recipe.model, version.cardinalities)
    # A model of its own: variables of a distribution strategy do not belong in a file.
    for mine, its in zip(model.variables, trained.variables, strict=True):
        mine.assign(its.value.numpy() if not hasattr(its.value, "values") else its.value.values[0].numpy())
    task = task_of(version.schema, version.statistics, recipe)
    scorer = Scorer(
        TransformGraph(schema, columns, version.statistics),
        model,
        task,
        # Layers without a name are called otherwise in a second network: the trained one's names are those that count.
        dict(zip(named_variables(trained), (variable.value for variable in model.variables), strict=True)),
        recipe.only_in_training,
    )
    signatures = _signatures(scorer, model)
    if hasattr(recipe.model_module, "carried"):
        scorer.carried = recipe.model_module.carried(recipe.model, model)
        signatures[NEXT_WORD] = _next_word(scorer.carried)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        tf.saved_model.save(scorer, str(folder), signatures=signatures)
        # What only training reads is asked of nobody who scores.
        features = {**version.features, "schema": schema.to_json()}
        # A column may be called like a field: what raw columns are called is what people ask for.
        renamed = renamed_inputs(column.name for column in columns) | renamed_inputs(
            field.name for field in schema.fields
        )
        if renamed:
            features["renamed_inputs"] = renamed
        (folder / "features.json").write_text(json.dumps(features, indent=2))
        (folder / "recipe.json").write_text(json.dumps(recipe.to_json(), indent=2))
        # The graphs have tables of their own; these are for a dataset version that takes over the statistics.
        version.statistics.copy_vocabularies(str(folder))
        if isinstance(task, Vectors):
            _write_vectors(str(folder / VECTORS), recipe, version, model)
        storage.delete(target)
        storage.copy_folder(str(folder), target)
        return model_digest(folder)


def _next_word(carried: keras.Model) -> Any:
    """What may follow the words so far, and the state behind them: what text is made with, word by word."""
    spec = {user_name(one.name): tf.TensorSpec(one.shape, tf.as_dtype(one.dtype), one.name) for one in carried.inputs}

    @tf.function(input_signature=[spec])
    def next_word(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = carried(inputs, training=False)
        return {name: outputs[name] for name in ("logits", *(name for name in outputs if name in spec))}

    return next_word.get_concrete_function()


def _write_vectors(folder: str, recipe: Recipe, version: DatasetVersion, model: keras.Model) -> None:
    """The rows of every table whose ids are words."""
    for column in recipe.model.columns:
        if isinstance(column, Embedding) and isinstance(column.source, Vocabulary | Segments):
            (table,) = (layer for layer in model.layers if layer.name.endswith(safe_name(column.table or column.name)))
            words = words_of(column.source, version.statistics)
            WordVectors(tuple(words), np.array(table.embeddings)).write(folder, column.source.name)


def _signatures(scorer: Scorer, model: keras.Model) -> dict[str, Any]:
    raw = scorer.transform.raw_spec
    stored_spec = {
        user_name(item.name): tf.TensorSpec(item.shape, tf.as_dtype(item.dtype), item.name)
        for item in model.inputs
        if user_name(item.name) not in scorer.absent
    }

    @tf.function(input_signature=[raw])
    def from_columns(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return scorer.score_raw(columns)

    @tf.function(input_signature=[scorer.transform.encoded_spec])
    def from_encoded(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return scorer.score_encoded(columns)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def from_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return scorer.score_examples(examples)

    @tf.function(input_signature=[stored_spec])
    def from_transformed(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return scorer.score_transformed(inputs)

    return {
        "serving_default": from_columns.get_concrete_function(),
        "serve_examples": from_examples.get_concrete_function(),
        "serve_transformed": from_transformed.get_concrete_function(),
        "serve_encoded": from_encoded.get_concrete_function(),
    }
