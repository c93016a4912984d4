"""A recipe in `pyspark.ml`: pipelines, cross-validation, saving and loading, on scikit-learn's table of flowers."""

import dataclasses
from pathlib import Path

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.tuning import CrossValidator, CrossValidatorModel, ParamGridBuilder
from pyspark.sql import SparkSession
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score

import emberline as em
from emberline.models.tabular import dnn
from emberline.pipelines.api import notebook
from emberline.pipelines.api.declared import from_plain, to_plain
from emberline.pipelines.recipes import load_recipe, recipe_names

pytestmark = pytest.mark.slow  # whole commands, one after the other

NUMBERS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
SPECIES = ("setosa", "versicolor", "virginica")


@pytest.fixture(scope="module")
def frame(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("estimator")
    data = load_iris(as_frame=True)
    rows = data.data.set_axis(list(NUMBERS), axis=1)
    rows["species"] = [SPECIES[kind] for kind in data.target]
    rows["flower"] = [f"flower-{number}" for number in range(len(rows))]
    with pytest.MonkeyPatch.context() as patch:
        defaults = notebook.Defaults(str(folder / "workspace"), f"sqlite:///{folder}/mlflow.db")
        patch.setattr(notebook, "_defaults", defaults)
        yield spark.createDataFrame(rows).cache()


@pytest.fixture(scope="module")
def estimator() -> em.RecipeEstimator:
    fields = tuple(em.Field(name, "float") for name in NUMBERS)
    label = em.Label("species", classes=tuple((name,) for name in SPECIES))
    return em.RecipeEstimator(
        em.Recipe(
            name="flowers_estimated",
            source="a test",
            dataset=em.NamedTable("flowers", em.Schema(fields, label, "flower")),
            model=dnn.Config(deep=tuple(em.Numeric(name) for name in NUMBERS), hidden_units=(10,), outputs=3),
            training=em.Training((em.Optimizer("adam", 0.02),), 200, 16, mode="local", tensorboard=False),
        )
    )


def accuracy(predicted) -> float:
    rows = predicted.select("prediction", "labelIndex", "species").toPandas()
    assert [SPECIES[int(index)] for index in rows["labelIndex"]] == rows["species"].tolist()
    return float(accuracy_score(rows["labelIndex"], rows["prediction"]))


def test_a_pipeline_is_fitted_and_saved(frame, estimator: em.RecipeEstimator, tmp_path: Path) -> None:
    pipeline = Pipeline(stages=[SQLTransformer(statement="SELECT *, 1 AS one FROM __THIS__"), estimator])
    model = pipeline.fit(frame, {estimator.field("training.epochs"): 100})
    predicted = model.transform(frame)
    assert {"one", "class_name", "probabilities", "prediction"} <= set(predicted.columns)
    reached = accuracy(predicted)
    assert reached > 0.9
    evaluator = MulticlassClassificationEvaluator(labelCol="labelIndex", metricName="accuracy")
    assert evaluator.evaluate(predicted) == pytest.approx(reached)
    model.save(str(tmp_path / "model"))
    again = PipelineModel.load(str(tmp_path / "model"))
    assert accuracy(again.transform(frame)) == pytest.approx(reached)


@pytest.mark.slow
def test_cross_validation_finds_the_better_setting(frame, estimator: em.RecipeEstimator, tmp_path: Path) -> None:
    rate = estimator.field("training.optimizers.0.learning_rate")
    evaluator = MulticlassClassificationEvaluator(labelCol="labelIndex", metricName="accuracy")
    grid = ParamGridBuilder().addGrid(rate, [1e-9, 0.02]).build()
    validator = CrossValidator(
        estimator=Pipeline(stages=[estimator]), estimatorParamMaps=grid, evaluator=evaluator, numFolds=2, seed=1
    )
    found = validator.fit(frame)
    worse, better = found.avgMetrics
    assert better > 0.85 > worse
    assert accuracy(found.transform(frame)) > 0.9
    found.save(str(tmp_path / "validated"))
    loaded = CrossValidatorModel.load(str(tmp_path / "validated"))
    assert loaded.avgMetrics == found.avgMetrics
    assert [list(map_.values()) for map_ in loaded.getEstimatorParamMaps()] == [[1e-9], [0.02]]


def test_an_estimator_is_saved_with_its_recipe(spark: SparkSession, estimator, tmp_path: Path) -> None:
    changed = estimator.copy({estimator.field("training.epochs"): 7})
    changed.setPredictionCol("species_id").save(str(tmp_path / "estimator"))
    loaded = em.RecipeEstimator.load(str(tmp_path / "estimator"))
    assert loaded.recipe == estimator.recipe
    assert (loaded.uid, loaded.getPredictionCol()) == (estimator.uid, "species_id")
    assert loaded.overrides == {"training.epochs": "7"}
    assert estimator.overrides == {}


def test_every_recipe_can_be_saved() -> None:
    for name in recipe_names():
        assert from_plain(to_plain(load_recipe(name))) == load_recipe(name), name


def test_what_cannot_be_saved_or_read_is_refused() -> None:
    @dataclasses.dataclass(frozen=True)
    class Local:
        size: int = 1

    with pytest.raises(em.BadInputError, match=r"move it into a module"):
        to_plain(Local())
    with pytest.raises(em.BadInputError, match=r"A object cannot be saved"):
        to_plain((object(),))
    with pytest.raises(em.BadInputError, match=r"os:system is no dataclass"):
        from_plain({"class": "os:system", "fields": {"command": "false"}})
    with pytest.raises(em.BadInputError, match=r"was saved, and is not here"):
        from_plain({"class": "nowhere.at.all:Config", "fields": {}})


def test_an_unknown_field_is_refused(frame, estimator: em.RecipeEstimator) -> None:
    wrong = estimator.copy({estimator.field("training.epoch"): 7})
    with pytest.raises(em.BadInputError, match=r"Unknown key 'epoch'.*'epochs'"):
        wrong.fit(frame)
