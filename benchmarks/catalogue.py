"""Which benchmarks there are, what of the code each of them measures, and whom it is held against.

`benchmarks.figures` runs them and writes docs/figures.md; the tests run each in its tiny size.
"""

import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Benchmark:
    """One program of this folder.

    Args:
        measures: Folders and files whose code a figure is about: with their commits it grows old.
        opponents: By a regular expression of a figure's key, what the ratio is over: names of distributions in
            brackets are given their versions. The first that matches counts.
        quality: Whether it measures how good something becomes, which only the whole size says, and not how fast.
        old: Whether it takes an earlier build by `--old`.
    """

    measures: tuple[str, ...]
    opponents: Mapping[str, str] = field(default_factory=dict)
    quality: bool = False
    old: bool = False

    def opponent(self, key: str) -> str:
        """Returns what a figure is over, with versions.

        Raises:
            KeyError: if nothing is said about it.
        """
        for pattern, text in self.opponents.items():
            if re.fullmatch(pattern, key):
                return re.sub(r"\[([\w.-]+)\]", lambda found: _named(found.group(1)), text)
        raise KeyError(f"No opponent is named for the figure {key!r}. Add it to benchmarks/catalogue.py.")


def _named(distribution: str) -> str:
    return f"{distribution} {importlib.metadata.version(distribution)}"


TRAINING = ("pipelines/training", "models")
PREPARATION = ("features", "pipelines/preparation", "pipelines/etl.py", "pipelines/datasets/readers")
WHOLE_WAY = (*PREPARATION, *TRAINING, "pipelines/cluster", "pipelines/evaluation", "pipelines/scoring")
OLD = "an earlier build"

CATALOGUE: dict[str, Benchmark] = {
    "antispam": Benchmark(
        (*TRAINING, "pipelines/recipes/text"),
        {"accuracy_vs_svm": "[scikit-learn], linear SVM over tf-idf"},
        quality=True,
    ),
    "cartpole": Benchmark(("pipelines/reinforcement",), {r"\w+_vs_solved": "a mean return of 475"}, quality=True),
    "census": Benchmark(
        (*TRAINING, "pipelines/recipes/tabular"),
        {r"\w+_auc_vs_trees": "[scikit-learn], HistGradientBoostingClassifier"},
        quality=True,
    ),
    "console": Benchmark(("jobs", "pipelines/console"), {r"(list|version)_vs_old": f"`list` of {OLD}"}, old=True),
    "demo": Benchmark(WHOLE_WAY, {"demo_vs_today": OLD}, old=True),
    "digits": Benchmark(
        (*TRAINING, "pipelines/recipes/digits"),
        {".*_vs_reported": "what the source of the recipe reports", ".*_errors": "the simpler network"},
        quality=True,
    ),
    "end_to_end": Benchmark(
        WHOLE_WAY,
        {
            "total_vs_spark_stack": "Spark ML ([pyspark]), `keras.Model.fit` ([keras]), `spark_udf` ([mlflow])",
            "total_vs_polars": "polars 2.1.0, `keras.Model.fit` ([keras]), batches on one machine",
            r"memory_vs_\w+": "the same opponent, ours over theirs: below 1, ours needs less memory",
        },
    ),
    "evaluation": Benchmark(
        ("pipelines/metrics",), {"evaluation_vs_spark_ml": "Spark ML ([pyspark]), BinaryClassificationEvaluator"}
    ),
    "features": Benchmark(
        PREPARATION,
        {
            "statistics_vs_spark_ml": "Spark ML ([pyspark]), QuantileDiscretizer and StringIndexer",
            "etl_vs_spark_ml": "Spark ML ([pyspark]), then `tf.train.Example` ([tensorflow]) per row",
        },
    ),
    "images": Benchmark(
        ("features/images", "features/validation", "features/tfrecord", *PREPARATION[1:]),
        {
            "(whole_)?etl_vs_pillow": "[pillow] in `rdd.map` ([pyspark])",
            "etl_vs_tf_data": "tf.data without Spark ([tensorflow])",
        },
    ),
    "iris": Benchmark(
        (*TRAINING, "pipelines/recipes/tabular"),
        {"accuracy_vs_reported": "the accuracy that TensorFlow's documentation reports"},
        quality=True,
    ),
    "memory": Benchmark(PREPARATION, {r"memory_follows_width_\d+": "itself at 10 columns"}),
    "padding": Benchmark(
        TRAINING,
        {r"padding_\w+|words_per_second_\w+": "batches as they come"},
    ),
    "pictures": Benchmark(
        (*TRAINING, "pipelines/recipes/generative"), {".*_ratio": "the simplest baseline"}, quality=True
    ),
    "raw_tables": Benchmark(
        ("pipelines/datasets/readers", "features/validation", "pipelines/etl.py"),
        {r"(read|open)_quoted_vs_spark": "[pyspark], `read.csv` with `multiLine`", r"etl_\w+_vs_old": OLD},
        old=True,
    ),
    "scale": Benchmark(
        ("features/tfrecord", "pipelines/preparation", "pipelines/scoring"),
        {r"\w+_linear": "itself at a quarter of the size"},
    ),
    "scoring": Benchmark(
        ("pipelines/scoring", "pipelines/score.py", "pipelines/saved_model", "features"),
        {
            r"\w+_vs_predict_batch_udf": "`predict_batch_udf` ([pyspark])",
            r"\w+_vs_spark_udf": "`mlflow.pyfunc.spark_udf` ([mlflow])",
        },
    ),
    "serving": Benchmark(
        ("pipelines/serving", "pipelines/saved_model", "pipelines/tracking"),
        {
            "server_alone_vs_ours": "a model that answers without looking, by the same server ([mlflow])",
            "graph_vs_ours": "the exported graph in the process ([tensorflow])",
        },
    ),
    "speech": Benchmark(
        (*TRAINING, "pipelines/recipes/audio"), {"correct_vs_said": "the words that were said"}, quality=True
    ),
    "startup": Benchmark(
        ("pipelines/cluster", "pipelines/training"), {"startup_vs_tfcluster": "`TFCluster.run` ([tensorflowonspark])"}
    ),
    "strangers": Benchmark(PREPARATION, quality=True),
    "sync_async": Benchmark(
        (*TRAINING, "pipelines/cluster"), {"epoch_async_vs_sync": "mode `sync`, seconds of an epoch"}
    ),
    "synthetic": Benchmark(
        (*TRAINING, "pipelines/recipes"), {".*_vs_best": "the best that can be reached"}, quality=True
    ),
    "tables": Benchmark(
        TRAINING,
        {
            "step_.*_vs_dense": "the same step over whole tables",
            "speed_26m_vs_26k": "a thousandth of the rows, in whole tables",
            "step_vs_torch": "PyTorch, `EmbeddingBag(sparse=True)`",
            "workers_2": "one worker of a core, the same global batch",
            "workers_2_vs_dense": "two workers that sum whole tables",
        },
    ),
    "text": Benchmark(PREPARATION, {"etl_vs_spark_ml": "Spark ML ([pyspark]), Tokenizer and CountVectorizer"}),
    "tfrecord": Benchmark(
        ("features/tfrecord",),
        {
            r"(en|de)code_(\w+_)?vs_tfx_bsl": "tfx-bsl 1.21.0, the C++ codec",
            r"encode_(\w+_)?vs_memcpy_crc": "a copy of the bytes and their checksum",
            "encode_vs_python": "`tf.train.Example` per row ([tensorflow])",
            "block_vs_plain": "`TFRecordDataset` and `parse_example` ([tensorflow])",
            r"spark_(read|write)_vs_parquet": "Parquet ([pyspark])",
            r"spark_(read|write)_vs_(rdd|python)": "`tf.train.Example` per row in an RDD ([tensorflow])",
        },
    ),
    "training": Benchmark(
        (*TRAINING, "features/tfrecord"),
        {
            "scaling_2": "itself on one worker",
            r"loop_vs_fit(_tabular)?": "`keras.Model.fit` as it comes ([keras], [tensorflow])",
            "feed_vs_tfos": "InputMode.SPARK of [tensorflowonspark]",
            "input_vs_petastorm": "petastorm 0.13.1, `make_batch_reader`",
        },
    ),
    "training_images": Benchmark(
        (*TRAINING, "features/images", "features/tfrecord"), {r"\w+\S*_vs_pixels": "the same pictures stored as pixels"}
    ),
    "vision_networks": Benchmark(TRAINING, {".*_step_vs_train_on_batch": "`train_on_batch` ([keras], [tensorflow])"}),
    "word_vectors": Benchmark(
        (*TRAINING, "pipelines/text"),
        {
            r"\d_vs_gensim": "[gensim], Word2Vec with as many threads",
            r"\d_vs_spark_ml": "Spark ML ([pyspark]), Word2Vec with as many partitions",
            "two_vs_one": "itself on one worker",
        },
    ),
}
"""By the name of its module."""
