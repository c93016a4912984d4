"""One set of variables for our readers and for Hadoop's."""

from typing import Any

import pytest

from emberline.features import s3
from emberline.pipelines.runtime.object_stores import executor_variables, share_with_hadoop


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in s3.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")


def test_executors_elsewhere_are_given_what_the_driver_has() -> None:
    def given(master: str) -> dict[str, str]:
        return executor_variables(master, lambda name: name.endswith("ENDPOINT_URL"))

    assert given("spark://host:7077") == given("yarn") == {"spark.executorEnv.AWS_SECRET_ACCESS_KEY": "planted"}
    assert given("local[2]") == given("local-cluster[2,1,1024]") == given("k8s://https://host") == given("") == {}


def test_hadoop_gets_what_nobody_has_set(spark: Any) -> None:
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    names = ("fs.s3a.endpoint", "fs.s3a.path.style.access", "fs.s3a.endpoint.region", "fs.s3.impl")
    before = {name: hadoop.getRaw(name) for name in names}
    hadoop.set("fs.s3a.endpoint.region", "mars-1")
    try:
        share_with_hadoop(spark)
        assert hadoop.get("fs.s3a.endpoint") == "http://127.0.0.1:9"
        assert hadoop.get("fs.s3a.path.style.access") == "true"
        assert hadoop.get("fs.s3a.endpoint.region") == "mars-1"
        assert hadoop.get("fs.s3.impl") == "org.apache.hadoop.fs.s3a.S3AFileSystem"
    finally:
        for name, value in before.items():
            hadoop.unset(name) if value is None else hadoop.set(name, value)
