"""One text written for another: translations, answers, captions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.features.columns import PAD
from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums, own_losses

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.features.statistics import Statistics
    from emberline.pipelines.metrics.grouped import GroupMetrics


UNNAMED = "<unknown>"
"""Stands for a word of the reference that has no id of its own."""


@dataclass(frozen=True)
class Translation:
    """The network's own loss; a prediction is a text, beside the one that should have been written if there is one.

    A network says `loss` and `tokens` `[batch]`: of each text the sum of -ln of the probabilities of its words and of
    its end, and how many these are; `loss/`, what training makes smaller; and ids of `written` and `reference`
    `[batch, words]`, `PAD` behind the end and `NO_ID` for a word without a name.

    Args:
        words: By id, of the field that is written; needed for predictions alone.
    """

    words: tuple[str, ...] = field(default=(), repr=False)

    outputs = 0
    columns = (
        PredictionColumn("written", "string"),
        PredictionColumn("reference", "string"),
        PredictionColumn("loss", "float"),
        PredictionColumn("tokens", "float"),
    )
    metrics = ("bleu", "perplexity", "loss", "exact")
    default_metric = "bleu"
    tally_length = 4

    @classmethod
    def of(cls, name: str, statistics: "Statistics | None") -> "Translation":
        """Returns the task with the words that were learned.

        Args:
            name: Field that is written.
            statistics: Of the training split; None where nothing is predicted.
        """
        from emberline.features import storage

        if statistics is None:
            return cls()
        lines = storage.read_text(statistics.vocabulary_uri(name)).splitlines()
        return cls(tuple(line.rpartition("\t")[0] for line in lines))

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns the network's own loss."""
        return own_losses(outputs)

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `written` and `reference`, words joined by blanks; `loss` and `tokens`."""
        texts = {name: self._text(outputs[name]) for name in ("written", "reference")}
        return texts | {name: outputs[name] for name in ("loss", "tokens")}

    def _text(self, ids: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        ids = tf.cast(ids, tf.int64)
        named = tf.where(ids >= 0, tf.gather(tf.constant(self.words), tf.maximum(ids, 0)), UNNAMED)
        return tf.strings.reduce_join(tf.ragged.boolean_mask(named, ids > PAD), axis=1, separator=" ")

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums of the loss and of the words, texts written exactly, texts."""
        sums = [predicted[name].numpy().astype(np.float64).sum() for name in ("loss", "tokens")]
        exact = np.sum(predicted["written"].numpy() == predicted["reference"].numpy())
        return np.array([*sums, exact, len(label)])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the loss of a word in the mean, its exponential, and the share of texts that were written exactly."""
        from emberline.pipelines.metrics.text import perplexity_of

        loss = float(sums[0] / max(sums[1], 1.0))
        return {
            "eval_loss": loss,
            "eval_perplexity": perplexity_of(loss),
            "eval_exact": float(sums[2] / max(sums[3], 1.0)),
        }

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the same metrics of an evaluation's rows, and BLEU and METEOR of the texts of each group."""
        from pyspark.sql import functions as F

        from emberline.pipelines.metrics.grouped import ALL, GROUPS, GroupMetrics
        from emberline.pipelines.metrics.text import perplexities, text_metrics

        exact = (F.col("written") == F.col("reference")).cast("double")
        texts = scored.select(
            F.split("written", " ").alias("words"),
            F.array(F.split("reference", " ")).alias("references"),
            exact.alias("exact"),
            *([GROUPS] if GROUPS in scored.columns else []),
        )
        found = {}
        for group, measured in perplexities(scored, "loss", "tokens").items():
            its = texts if group == ALL else texts.where(F.array_contains(GROUPS, group))
            right = its.agg(F.avg("exact")).collect()[0][0]
            written = text_metrics(its, "words", "references").metrics
            found[group] = GroupMetrics(written | measured.metrics | {"exact": float(right)}, measured.details)
        return found
