"""A place for every row, so that rows of the same label are close together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.features.names import quoted
from emberline.pipelines.metrics import log_odds
from emberline.pipelines.tasks.task import Losses, PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics

MARGIN = 0.2
"""By which a row of another label must be further away than one of the same; squared distance of unit vectors."""

PAIRED_ROWS = 1024
"""Rows of a batch that are compared with each other at the end of an epoch."""


@dataclass(frozen=True)
class Embedding:
    """Triplet loss, or softmax over the labels where the network has logits; a prediction is a unit vector.

    A network says `embedding`, unit vectors `[batch, width]`, and may say `logits` `[batch, labels]`.
    Schroff, Kalenichenko, Philbin, "FaceNet": of each pair of the same label, the nearest row of another that is
    further away than the pair's distance (semi-hard), within the batch of one replica.

    Args:
        labels: What they are called, by class id.
    """

    labels: tuple[str, ...]

    outputs = 0
    columns = (PredictionColumn("embedding", "floats"),)
    metrics = ("accuracy", "auc", "eer", "tar_at_far_0.001", "tar_at_far_0.01", "tar_at_far_0.1")
    default_metric = "auc"
    tally_length = 2 * log_odds.BINS

    def losses(self, outputs: "Mapping[str, tf.Tensor]", label: "tf.Tensor") -> "Losses":
        """Returns softmax cross entropy, or the mean over a row's pairs of max(0, own distance - other's + margin)."""
        import tensorflow as tf

        if "logits" in outputs:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(label, tf.int32), outputs["logits"])
        places = outputs["embedding"]
        distance = tf.maximum(2 - 2 * tf.matmul(places, places, transpose_b=True), 0.0)
        same = tf.equal(label[:, None], label[None, :])
        pairs = tf.cast(same, tf.float32) - tf.eye(tf.shape(label)[0])
        others = tf.where(same, np.inf, distance)
        # `[anchor, its like, another]`
        beyond = tf.where(others[:, None, :] > distance[:, :, None], others[:, None, :], np.inf)
        furthest = tf.reduce_max(tf.where(same, -np.inf, distance), axis=1)
        negative = tf.reduce_min(beyond, axis=2)
        negative = tf.where(tf.math.is_finite(negative), negative, furthest[:, None])
        # Rows that have no other in the batch say nothing.
        hinge = tf.where(tf.math.is_finite(negative), tf.maximum(distance - negative + MARGIN, 0.0), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(hinge * pairs, axis=1), tf.reduce_sum(pairs, axis=1))

    def predict(self, outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
        """Returns `embedding`."""
        return {"embedding": outputs["embedding"]}

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Counts pairs of the first rows of a batch by their cosine: those of different labels, then those of the same.

        Rows that a network has not learned to tell apart all have cosines close to 1: where the cosine lies between -1
        and 1 is counted by its log-odds.
        """
        places, truth = predicted["embedding"].numpy()[:PAIRED_ROWS], label[:PAIRED_ROWS]
        first, second = np.triu_indices(len(places), 1)
        cosine = np.clip((places @ places.T)[first, second].astype(np.float64), -1, 1)
        same = truth[first] == truth[second]
        return np.concatenate([log_odds.counted((cosine[same == kind] + 1) / 2) for kind in (False, True)]).astype(
            float
        )

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns 1 - AUC of telling pairs of the same label from others by their cosine, and the equal error rate."""
        others, same = np.reshape(sums, (2, log_odds.BINS))
        auc = log_odds.area(others, same) if others.any() and same.any() else 0.0
        missed = np.cumsum(same) / max(same.sum(), 1)
        passed = 1 - np.cumsum(others) / max(others.sum(), 1)
        place = int(np.argmin(np.abs(missed - passed)))
        return {"eval_loss": 1 - auc, "eval_auc": auc, "eval_eer": float(missed[place] + passed[place]) / 2}

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns `verification_metrics` and `fold_accuracy` of pairs of rows.

        The pairs are each row with the next of its label, and with one of the label behind its own.
        """
        from pyspark.sql import functions as F
        from pyspark.sql.window import Window

        from emberline.pipelines.metrics.grouped import ALL, GroupMetrics, groups_of
        from emberline.pipelines.metrics.verification import FOLDS, fold_accuracy, verification_metrics

        order = Window.partitionBy("label").orderBy(F.xxhash64("embedding"))
        rows = scored.select("embedding", F.col(quoted(label)).cast("long").alias("label"), *groups_of(scored))
        rows = rows.withColumn("place", F.row_number().over(order))
        twin = rows.select(F.col("embedding").alias("twin"), "label", "place")
        next_of_same = twin.withColumn("place", F.col("place") - 1).withColumn("same", F.lit(1))
        one_of_next = twin.withColumn("label", F.pmod(F.col("label") - 1, F.lit(len(self.labels)))).withColumn(
            "same", F.lit(0)
        )
        pairs = rows.join(next_of_same.unionByName(one_of_next), ["label", "place"])
        cosine = F.aggregate(
            F.zip_with("embedding", "twin", lambda one, other: one * other),
            F.lit(0.0),
            lambda total, part: total + part,
        )
        fold = F.pmod(F.xxhash64("embedding", "twin"), F.lit(FOLDS))
        measured = pairs.select("same", cosine.alias("cosine"), fold.alias("fold"), *groups_of(scored))
        found = verification_metrics(measured, "same", "cosine")
        whole = found[ALL].metrics | fold_accuracy(measured, "same", "cosine", "fold")
        whole |= {"rows": float(scored.count()), "pairs": whole["rows"]}
        return found | {ALL: GroupMetrics(whole, found[ALL].details)}
