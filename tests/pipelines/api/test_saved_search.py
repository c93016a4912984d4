"""A search over a recipe's fields, as `pyspark.ml` saves and loads it."""

from pathlib import Path

from pyspark.ml import Pipeline
from pyspark.ml.evaluation import MulticlassClassificationEvaluator
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import SparkSession

import emberline as em


def test_a_grid_of_fields_is_saved_and_loaded(spark: SparkSession, tmp_path: Path) -> None:
    estimator = em.RecipeEstimator(em.load_recipe("iris_dnn"))
    rate = estimator.field("training.optimizers.0.learning_rate")
    grid = ParamGridBuilder().addGrid(rate, [0.5, 0.02]).build()
    evaluator = MulticlassClassificationEvaluator(labelCol="labelIndex", metricName="accuracy")
    search = CrossValidator(estimator=Pipeline(stages=[estimator]), estimatorParamMaps=grid, evaluator=evaluator)
    search.save(str(tmp_path / "search"))
    loaded = CrossValidator.load(str(tmp_path / "search"))
    assert [list(chosen.values()) for chosen in loaded.getEstimatorParamMaps()] == [[0.5], [0.02]]
    assert [param.name for param in loaded.getEstimatorParamMaps()[0]] == ["training.optimizers.0.learning_rate"]
    assert not hasattr(estimator, "nothing")
