"""Boxes: overlaps by counting pixels, average precision by walking down the list of detections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.detection import detection_metrics, overlaps

SIDE = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(sorted)
BOX = st.tuples(SIDE, SIDE).map(lambda sides: (sides[0][0], sides[1][0], sides[0][1], sides[1][1]))
FOUND = "image long, class string, score double, box array<double>"
TRUTHS = "image long, class string, box array<double>"


@settings(max_examples=50, deadline=None)
@given(st.lists(BOX, min_size=1, max_size=3), st.lists(BOX, min_size=1, max_size=3))
def test_overlaps_are_shares_of_pixels(boxes: list, others: list) -> None:  # type: ignore[type-arg]
    def pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    expected = [[len(pixels(a) & pixels(b)) / max(len(pixels(a) | pixels(b)), 1) for b in others] for a in boxes]
    np.testing.assert_allclose(overlaps(np.array(boxes, float), np.array(others, float)), expected)


def average_precision(found: list, truths: list, name: str, least: float) -> float:  # type: ignore[type-arg]
    """The development kit's way: one list per class, the precision made monotonous from behind."""
    objects = [(image, box) for image, kind, box in truths if kind == name]
    taken: set[int] = set()
    hits = []
    for image, _, _, box in sorted((one for one in found if one[1] == name), key=lambda one: -one[2]):
        overlap = [overlaps(np.array([box]), np.array([it]))[0, 0] if image == where else -1 for where, it in objects]
        best = int(np.argmax(overlap)) if overlap else -1
        hits.append(best >= 0 and overlap[best] >= least and best not in taken)
        if hits[-1]:
            taken.add(best)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(envelope[np.array(hits, bool)]) / len(objects)) if hits else 0.0


def test_average_precision_by_class_and_threshold(spark: SparkSession) -> None:
    generator = np.random.default_rng(2)
    truths, found = [], []
    for image in range(40):
        for _ in range(generator.integers(0, 6)):
            corner = generator.random(2) * 20
            box = np.concatenate([corner, corner + 2 + generator.random(2) * 8])
            truths.append((image, str(generator.choice(["cat", "dog", "owl"])), box.tolist()))
            for _ in range(generator.integers(0, 3)):
                kind = truths[-1][1] if generator.random() < 0.8 else "dog"
                found.append((image, kind, float(generator.random()), (box + generator.normal(size=4)).tolist()))
    found.append((99, "cat", 0.99, [0.0, 0.0, 1.0, 1.0]))  # in an image without objects
    found.append((0, "unicorn", 0.9, [0.0, 0.0, 1.0, 1.0]))  # a class that is nowhere
    truths.append((3, "newt", [0.0, 0.0, 1.0, 1.0]))  # never found
    measured = detection_metrics(
        spark.createDataFrame(found, FOUND), spark.createDataFrame(truths, TRUTHS), thresholds=(0.5, 0.75)
    )
    means = []
    for least in (0.5, 0.75):
        expected = {name: average_precision(found, truths, name, least) for name in ("cat", "dog", "newt", "owl")}
        assert measured.details["average_precision"][f"{least:g}"] == pytest.approx(expected)
        means.append(np.mean(list(expected.values())))
        assert measured.metrics[f"map_{least:g}"] == pytest.approx(means[-1])
    assert 0 < measured.metrics["map_0.75"] < measured.metrics["map_0.5"] < 1
    assert measured.metrics["map"] == pytest.approx(np.mean(means))
    assert measured.metrics["rows"] == len(truths)


def test_no_objects_are_refused(spark: SparkSession) -> None:
    with pytest.raises(BadInputError, match="no scored rows"):
        detection_metrics(spark.createDataFrame([], FOUND), spark.createDataFrame([], TRUTHS))
