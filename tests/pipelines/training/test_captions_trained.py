"""Sentences about made-up scenes: learned in a short training; the exported model writes what the trained one did."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from emberline.features.dataset_version import FEATURES, DatasetVersion
from emberline.pipelines.datasets.captions import scene_captions, scenes
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop


@pytest.mark.slow
def test_sentences_are_learned_and_exported(
    tmp_path: Path, text_version: Callable[..., DatasetVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "FILES", {"train": 5, "val": 1})
    scene_captions.DATASET.generate(str(tmp_path / "raw"), seed=1)
    vectors = pq.read_table(tmp_path / "raw" / "vectors").column("embedding").to_pylist()
    texts = [scenes.sentence(scene) for _, split in scenes.made_up().values() for scene in split]
    rows = {"embedding": vectors, "caption": texts, "words": [float(len(text.split())) for text in texts]}
    train = 5 * len(scenes.SCENES)
    splits = {
        "train": {name: values[:train] for name, values in rows.items()},
        "eval": {name: values[train:] for name, values in rows.items()},
    }
    base = load_recipe("scene_captions")
    chosen = replace(base, training=replace(base.training, workers=1, epochs=24, tensorboard=False))
    version = text_version(tmp_path, scene_captions.DATASET.schema, chosen.model.columns, splits)
    loop = Loop(chosen, version, str(tmp_path / "training"), tf.distribute.get_strategy(), 0, lambda event: None)
    model = loop.run()
    (tmp_path / FEATURES).write_text("{}")
    export(chosen, version, model, str(tmp_path / "model"))
    score = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    raw = {name: tf.constant(np.array(splits["eval"][name])) for name in ("embedding", "caption")}
    served = score(**raw)
    assert served["reference"].numpy().tolist() == [text.encode() for text in splits["eval"]["caption"]]
    exact = np.mean(served["written"].numpy() == served["reference"].numpy())
    assert exact > 0.9
    assert float(np.exp(tf.reduce_sum(served["loss"]) / tf.reduce_sum(served["tokens"]))) < 1.1
    alone = score(embedding=raw["embedding"], caption=tf.fill(tf.shape(raw["caption"]), ""))
    assert alone["written"].numpy().tolist() == served["written"].numpy().tolist(), "the caption is not looked at"
