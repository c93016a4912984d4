"""Custom TensorFlow programs on executors, in the style of TensorFlowOnSpark's examples."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession
from sklearn.datasets import load_digits

import emberline as em
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.launch import launch, read_script
from emberline.pipelines.runtime.claim import OutputBusyError, claim
from emberline.pipelines.tracking import Tracker


def digits_program():
    """A `main_fun` as for TensorFlowOnSpark; made in here, so that it travels as code."""

    def main_fun(args, ctx):
        import tensorflow as tf

        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        feed = ctx.get_data_feed(args.epochs)

        def examples():
            while not feed.should_stop():
                for *pixels, label in feed.next_batch(16):
                    yield np.reshape(np.array(pixels, np.float32) / 16, (8, 8, 1)), label

        signature = (tf.TensorSpec([8, 8, 1], tf.float32), tf.TensorSpec([], tf.int64))
        ds = tf.data.Dataset.from_generator(examples, output_signature=signature).batch(args.batch_size)
        with strategy.scope():
            model = tf.keras.Sequential(
                [
                    tf.keras.Input((8, 8, 1)),
                    tf.keras.layers.Conv2D(16, 3, activation="relu"),
                    tf.keras.layers.Flatten(),
                    tf.keras.layers.Dense(10, activation="softmax"),
                ]
            )
            model.compile(
                loss=tf.keras.losses.sparse_categorical_crossentropy,
                optimizer=tf.keras.optimizers.Adam(0.01),
                metrics=["accuracy"],
            )
        steps = args.rows // (args.batch_size * ctx.num_workers) - 1
        history = ctx.fit(model, ds, epochs=args.epochs, steps_per_epoch=steps)
        Path(ctx.output, f"weights-{ctx.worker}.json").write_text(json.dumps([w.tolist() for w in model.get_weights()]))
        if ctx.is_chief:
            model.export(f"{ctx.output}/model")
        print("the last loss is", history.history["loss"][-1])
        return history.history["accuracy"][-1]

    return main_fun


def test_a_main_fun_trains_on_fed_rows(spark: SparkSession, tmp_path: Path, capsys) -> None:
    import tensorflow as tf

    images, labels = load_digits(return_X_y=True)
    rows = [(*map(float, image), int(label)) for image, label in zip(images, labels, strict=True)]
    frame = spark.createDataFrame(rows, [*(f"p{number}" for number in range(64)), "label"])
    args = argparse.Namespace(batch_size=32, epochs=4, rows=len(rows))
    done = em.distribute(
        digits_program(), args, rows=frame, output=str(tmp_path / "program"), tracking=f"sqlite:///{tmp_path}/m.db"
    )
    assert done.result > 0.9
    assert "the last loss is" in capsys.readouterr().err
    first, second = (json.loads((tmp_path / "program" / f"weights-{rank}.json").read_text()) for rank in (0, 1))
    for mine, its in zip(first, second, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-5, err_msg="workers took the same steps")
    model = tf.saved_model.load(str(tmp_path / "program" / "model"))
    served = model.serve(tf.constant(images.reshape(-1, 8, 8, 1) / 16, tf.float32))
    assert np.mean(np.argmax(served, 1) == labels) > 0.9
    run = MlflowClient(f"sqlite:///{tmp_path}/m.db").get_run(done.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["batch_size"] == "32"
    assert run.data.metrics["accuracy"] == pytest.approx(done.result)


SCRIPT = """
import json, sys
from pathlib import Path
import tensorflow as tf
import emberline as em

ctx = em.current_context()
died = Path(ctx.output, "died")
if ctx.worker == 1 and not died.exists():
    died.touch()
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
keys = [float(x) for features, _ in ctx.batches(batch_size=50) for x in features["sepal_length"].numpy()]
mine = [int(x) for x in ctx.shard(tf.data.Dataset.range(10))]
spec = json.dumps([ctx.job_name, ctx.task_index, len(keys), mine, sys.argv[1:]])
Path(ctx.output, f"rank-{ctx.worker}.json").write_text(spec)
ctx.log_metrics({"rows": len(keys)}, 1)
"""


def test_a_script_gets_its_shares_and_is_started_again(spark: SparkSession, flowers: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    script = read_script(str(tmp_path / "mine.py"), ["--rate", "0.1"])
    tracker, output = Tracker(f"sqlite:///{tmp_path}/m.db"), tmp_path / "program"
    output.mkdir()
    done = launch(spark, script, f"file://{output}", tracker, name=script.name, dataset=flowers, workers=2)
    assert done.restarts == 1
    assert done.metrics["rows"] == 6_000
    told = [json.loads((output / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert told == [
        ["chief", 0, 6_000, [0, 2, 4, 6, 8], ["--rate", "0.1"]],
        ["worker", 0, 6_000, [1, 3, 5, 7, 9], ["--rate", "0.1"]],
    ]


def test_a_failing_program_says_why(spark: SparkSession, tmp_path: Path) -> None:
    def broken(args, ctx):
        raise KeyError(f"no {args} on {ctx.job_name}")

    where = {"output": str(tmp_path / "p"), "tracking": f"sqlite:///{tmp_path}/m.db", "max_restarts": 0}
    with pytest.raises(ClusterError, match=r"KeyError: 'no luck on chief'"):
        em.distribute(broken, "luck", workers=1, **where)
    with pytest.raises(em.BadInputError, match=r"needs 6 slots \(1 chief \+ 4 workers \+ 1 parameter server\)"):
        em.distribute(broken, workers=4, parameter_servers=1, **where)
    with (tmp_path / "open").open("w") as file, pytest.raises(em.BadInputError, match=r"cannot be sent to executors"):
        em.distribute(broken, file, workers=1, **where)
    with pytest.raises(em.BadInputError, match=r"No Python file"):
        read_script(str(tmp_path / "nothing.py"))


def test_outputs_eat_neither_inputs_nor_foreign_files(spark: SparkSession, flowers: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    script, tracker = read_script(str(tmp_path / "mine.py")), Tracker(f"sqlite:///{tmp_path}/m.db")

    def refused(output: Path | str, reason: str, **given: Any) -> None:
        with pytest.raises(em.BadInputError, match=reason):
            launch(spark, script, str(output), tracker, name="mine", workers=1, max_restarts=0, **given)

    (tmp_path / "link").symlink_to(flowers.removeprefix("file://"))
    refused(flowers, "is the same as --dataset", dataset=flowers)
    refused(tmp_path / "link", "is the same as --dataset", dataset=flowers)
    refused(f"{flowers}/below", "lies in --dataset", dataset=flowers)
    refused(tmp_path / "mine.py", "is a file, and a folder is written")
    rows = tmp_path / "out" / "rows"
    spark.range(3).write.parquet(str(rows))
    refused(tmp_path / "out", "which is read", rows=spark.read.parquet(str(rows)))
    (rows / "diary.txt").write_text("dear")
    refused(tmp_path / "out", "'diary.txt' there is not ours", rows=spark.range(4))
    assert (rows / "diary.txt").exists()
    assert spark.read.parquet(f"{rows}/*.parquet").count() == 3
    with claim(str(tmp_path / "out")), pytest.raises(OutputBusyError):
        launch(spark, script, str(tmp_path / "out"), tracker, name="mine", workers=1, max_restarts=0)


@pytest.mark.slow
def test_parameter_servers_serve_the_chief(tmp_path: Path) -> None:
    """On a cluster of its own: a chief, two workers and a server are four slots."""
    import subprocess
    import sys

    root = Path(__file__).parents[3]
    (tmp_path / "servers.py").write_text(
        "import tensorflow as tf\n"
        "import emberline as em\n"
        "resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()\n"
        "strategy = tf.distribute.ParameterServerStrategy(resolver)\n"
        "with strategy.scope():\n"
        "    total = tf.Variable(0.0)\n"
        "coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)\n"
        "step = tf.function(lambda: total.assign_add(1.0))\n"
        "for _ in range(20):\n"
        "    coordinator.schedule(step)\n"
        "coordinator.join()\n"
        "em.current_context().log_metrics({'total': float(total.numpy())})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "emberline", "launch", "servers.py", "--workers", "2", "--parameter-servers", "1",
         "--output", "out", "--master", "local[4]"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["metrics"] == {"total": 20.0}
