"""Lists of captions in MSCOCO's layout with vectors beside them, read by Spark; made-up scenes and their sentences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.captions import scene_captions, scenes
from emberline.pipelines.datasets.captions.captions import Captions, write_vectors
from emberline.pipelines.recipes.captions import scenes_embedding

COCO = Captions("coco", 3)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Two photographs to learn from and one held out, as the official lists have them; a vector is missing."""
    lists = {
        "train": ([(9, "COCO_train2014_9.jpg"), (25, "COCO_train2014_25.jpg")], [(1, 9), (2, 9), (3, 25), (4, 777)]),
        "val": ([(42, "COCO_val2014_42.jpg")], [(5, 42)]),
    }
    for split, (images, said) in lists.items():
        (tmp_path / f"captions_{split}2014.json").write_text(json.dumps({
            "info": {"year": 2014},
            "images": [{"id": id, "file_name": name, "license": 3} for id, name in images],
            "annotations": [
                {"id": id, "image_id": image, "caption": f"A man  riding wave {id}. "} for id, image in said
            ],
        }))  # fmt: skip
    paths = ["train2014/COCO_train2014_9.jpg", "val2014/COCO_val2014_42.jpg"]
    write_vectors(str(tmp_path), paths, np.arange(6, dtype=np.float32).reshape(2, 3))
    return tmp_path


def test_each_sentence_gets_the_vector_of_its_image(spark: SparkSession, coco: Path) -> None:
    rows = {row["row"]: row for row in COCO.read(spark, str(coco), "train").collect()}
    assert set(rows) == {"COCO_train2014_9.jpg#1", "COCO_train2014_9.jpg#2", "COCO_train2014_25.jpg#3", "4"}
    one = rows["COCO_train2014_9.jpg#2"]
    assert (one["caption"], one["words"], one["embedding"]) == ("A man  riding wave 2.", "5", [0.0, 1.0, 2.0])
    assert (one["_source"], one["_fault"]) == ("captions_train2014.json", None)
    assert rows["COCO_train2014_25.jpg#3"]["_fault"] == "no vector of its image"
    assert rows["4"]["_fault"] == "its image is not in the list"
    (held,) = COCO.read(spark, str(coco), "eval").collect()
    assert (held["row"], held["embedding"]) == ("COCO_val2014_42.jpg#5", [3.0, 4.0, 5.0])
    assert COCO.read(spark, str(coco)).count() == 5


def test_a_folder_without_vectors_or_lists_says_so(spark: SparkSession, coco: Path, tmp_path: Path) -> None:
    (coco / "vectors" / "part-0.parquet").unlink()
    with pytest.raises(BadInputError, match=r"captions_val2014.json'\]; expected .* in vectors/ what emberline score"):
        COCO.read(spark, str(coco))
    for file in coco.glob("*.json"):
        file.rename(file.with_name(f"other_{file.name}"))
    with pytest.raises(BadInputError, match="holds no captions; expected captions_train"):
        COCO.read(spark, str(coco))


def test_made_up_scenes_are_as_their_sentences_say(tmp_path: Path) -> None:
    assert len(set(map(scenes.sentence, scenes.SCENES))) == len(scenes.SCENES) == scenes_embedding.SCENES
    assert scenes.SIDE == scenes_embedding.SIDE
    scene = ("small", ("red", "square"), "left of", ("blue", "circle"))
    assert scenes.sentence(scene) == "a small red square left of a large blue circle"
    picture = scenes.draw(scene, np.random.default_rng(1)).astype(int)
    red, blue = (picture[..., channel] > picture.sum(axis=2) - picture[..., channel] for channel in (0, 2))
    assert 40 < red.sum() < blue.sum(), "the large one has more pixels"
    assert np.nonzero(red)[1].mean() + 10 < np.nonzero(blue)[1].mean(), "it lies to the left"
    above = scenes.draw((*scene[:2], "above", scene[3]), np.random.default_rng(1)).astype(int)
    red = above[..., 0] > above[..., 1:].sum(axis=2)
    assert np.nonzero(red)[0].mean() < scenes.SIDE / 2


def test_made_up_vectors_know_the_sentence(spark: SparkSession, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(scenes, "FILES", {"train": 1, "val": 2})
    dataset = scene_captions.SceneCaptions("any", 40)
    assert dataset.generate(str(tmp_path), seed=1).best == {"bleu": 1.0}
    assert load_dataset("coco_captions").schema.fields[0].shape == (2048,)
    rows = dataset.read(spark, str(tmp_path), "eval").select("embedding", "caption", "_fault").collect()
    assert len(rows[0]["embedding"]) == 40
    assert len(rows) == len(scenes.SCENES) * scenes.FILES["val"]
    assert {row["_fault"] for row in rows} == {None}
    vectors, captions = np.array([row["embedding"] for row in rows]), [row["caption"] for row in rows]
    nearness = vectors @ vectors.T - 2 * np.eye(len(rows))
    assert np.mean([captions[place] == captions[near] for place, near in enumerate(nearness.argmax(1))]) > 0.99
