"""A made-up language translated: learned in a short training; the exported model writes what the trained one did."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sacrebleu
import tensorflow as tf

from emberline.features.columns import Embedding, Vocabulary
from emberline.features.dataset_version import FEATURES, DatasetVersion
from emberline.models.text import translation
from emberline.pipelines.datasets.text import sentence_pairs
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.recipes.text.translation import SOURCE, TARGET
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop


def pairs(folder: Path, rows: int) -> dict[str, list[Any]]:
    sentence_pairs.DATASET.generate(str(folder), seed=2)
    lines = [line.split("\t") for line in (folder / "pairs.txt").read_text().splitlines()[:rows]]
    source, target = (list(column) for column in zip(*lines, strict=True))
    return {"source": source, "target": target, "words": [float(len(text.split())) for text in target]}


def cut(rows: dict[str, list[Any]], some: slice) -> dict[str, list[Any]]:
    return {name: values[some] for name, values in rows.items()}


def train(chosen: Recipe, version: DatasetVersion, folder: Path) -> tuple[Loop, list[dict[str, float]]]:
    events: list[dict[str, Any]] = []
    loop = Loop(chosen, version, str(folder / "training"), tf.distribute.get_strategy(), 0, events.append)
    loop.run()
    (folder / FEATURES).write_text("{}")
    export(chosen, version, loop.step.model, str(folder / "model"))
    return loop, [event["metrics"] for event in events if event["event"] == "epoch"]


@pytest.mark.slow
def test_an_exported_model_writes_what_the_trained_one_wrote(
    tmp_path: Path, text_version: Callable[..., DatasetVersion]
) -> None:
    base, rows = load_recipe("translation"), pairs(tmp_path / "raw", 120)
    source, target = Vocabulary("source", many=True), Vocabulary("target", size=40, unseen_buckets=1, many=True)
    model = translation.Config(Embedding(source, 8), Embedding(target, 8), units=8, layers=2, longest=12, beams=2)
    chosen = replace(base, model=model, training=replace(base.training, epochs=1, workers=1, global_batch=20))
    splits = {"train": cut(rows, slice(100)), "eval": cut(rows, slice(100, None))}
    version = text_version(tmp_path, sentence_pairs.SCHEMA, model.columns, splits)
    loop, epochs = train(chosen, version, tmp_path)
    assert {"eval_loss", "eval_perplexity", "eval_exact", "padding"} <= epochs[0].keys()
    features, *_ = next(iter(loop.batches.evaluation()))
    trained = loop.step.predict(features)
    score = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    raw = {name: tf.constant(splits["eval"][name]) for name in ("source", "target")}
    served = score(**raw)
    for name in ("written", "reference"):
        assert served[name].numpy().tolist() == trained[name].numpy().tolist()
    assert served["tokens"].numpy().tolist() == [len(text.split()) + 1 for text in splits["eval"]["target"]]
    words = served["reference"].numpy()[0].decode().split()
    known = set(" ".join(splits["eval"]["target"][:1]).split()) | {"<unknown>"}
    assert set(words) <= known
    alone = score(source=raw["source"], target=tf.fill(tf.shape(raw["source"]), ""))
    assert alone["written"].numpy().tolist() == served["written"].numpy().tolist(), "the target is not looked at"
    assert not alone["tokens"].numpy().any()


@pytest.mark.slow
def test_a_rule_is_learned_without_many_faults(tmp_path: Path, text_version: Callable[..., DatasetVersion]) -> None:
    base, rows = load_recipe("translation"), pairs(tmp_path / "raw", 12_000)
    chosen = replace(base, training=replace(base.training, workers=1, tensorboard=False))
    splits = {"train": cut(rows, slice(11_000)), "eval": cut(rows, slice(11_000, 12_000))}
    columns = (Embedding(SOURCE, 64), Embedding(TARGET, 64))
    version = text_version(tmp_path, sentence_pairs.SCHEMA, columns, splits)
    loop, epochs = train(chosen, version, tmp_path)
    found = [loop.step.predict(features) for features, *_ in loop.batches.evaluation()]
    written, reference = (
        [text.decode() for batch in found for text in batch[name].numpy()] for name in ("written", "reference")
    )
    bleu = sacrebleu.corpus_bleu(written, [reference], tokenize="none").score / 100
    assert bleu >= 0.95, (bleu, epochs[-1])
