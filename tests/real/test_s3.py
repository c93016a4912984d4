"""A whole run on a real S3 server: Spark through `s3a`, our readers through pyarrow, one set of variables for both."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emberline.features import storage
from tests.features.test_publishing import (  # noqa: F401  the same tests, in a bucket
    killed_at_every_point,
    test_a_folder_takes_the_place_of_another,
)
from tests.features.test_storage import (  # noqa: F401
    test_make_dirs_and_names_with_special_characters,
    test_many_files_are_moved_at_once_and_a_failure_is_heard,
    test_streams_are_never_decompressed,
)
from tests.real.conftest import listing, manifest
from tests.real.jars import s3_connector
from tests.real.object_store import Gate, ObjectStore, variables

BUCKET = "s3://tests"


@pytest.fixture(scope="module")
def submit() -> dict[str, str]:
    found = s3_connector()
    sides = " ".join(f"--conf spark.{side}.extraClassPath={found}" for side in ("driver", "executor"))
    return {"PYSPARK_SUBMIT_ARGS": f"{sides} pyspark-shell"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    store = ObjectStore(tmp_path_factory.mktemp("seaweedfs"))
    try:
        store.start()
        yield store
    finally:
        store.stop()


@pytest.fixture(scope="module")
def gate(server: ObjectStore) -> Iterator[Gate]:
    """The way to the server; this process and its children are clients."""
    gate = Gate(server.url)
    before = dict(os.environ)
    os.environ.update(variables(gate.url))
    storage._filesystem.cache_clear()
    storage.make_dirs(f"{BUCKET}?allow_bucket_creation=true")
    storage.write_text_atomic(f"{BUCKET}/ready", "yes")
    try:
        yield gate
    finally:
        os.environ.clear()
        os.environ.update(before)
        storage._filesystem.cache_clear()
        gate.close()


@pytest.fixture(autouse=True)
def open_gate(gate: Gate) -> Iterator[None]:
    gate.counts.clear()
    yield
    gate.refuse = lambda method, path: False


@pytest.fixture
def store(gate: Gate) -> str:
    return f"{BUCKET}/store"


@pytest.fixture(scope="module")
def raw(gate: Gate, flower_files: Path) -> str:
    storage.copy_folder(str(flower_files), f"{BUCKET}/raw/iris")
    return f"{BUCKET}/raw/iris"


@pytest.fixture(scope="module")
def whole_run(gate: Gate, raw: str, emberline, submit: dict[str, str], tmp_path_factory: pytest.TempPathFactory):
    tracking = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    gate.counts.clear()
    done = emberline("run", "iris_dnn", "--input", raw, "--workspace", f"{BUCKET}/workspace",
                     "--set", "training.epochs=3", "--tracking-uri", tracking,
                     env=submit)  # fmt: skip
    assert done.code == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def version(whole_run) -> str:
    found = [uri for uri in listing(f"{BUCKET}/workspace") if uri.endswith("/manifest.json")]
    assert len(found) == 1
    return found[0].removesuffix("/manifest.json")


def test_a_whole_run_makes_the_dataset_of_the_local_disk(
    version: str, flower_files: Path, emberline, tmp_path: Path
) -> None:
    local = emberline("etl", "--pipeline", "iris_dnn", "--input", flower_files, "--output", tmp_path / "v",
                      "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")  # fmt: skip
    assert local.code == 0, local.stderr[-3000:]
    assert manifest(version)["digest"] == manifest(str(tmp_path / "v"))["digest"]
    names = listing(f"{BUCKET}/workspace")
    assert any("predictions" in uri and uri.endswith(".parquet") for uri in names)
    assert not [uri for uri in names if ".staging-" in uri or ".claim" in uri or ".copied-" in uri]


def test_a_file_costs_one_request_to_write_and_two_to_read(gate: Gate, store: str) -> None:
    place = storage.join(store, "small")
    storage.write_text_atomic(place, "text")
    assert gate.counts == {"PUT": 1}
    gate.counts.clear()
    assert storage.read_text(place) == "text"
    assert gate.counts == {"HEAD": 1, "GET": 1}
    gate.counts.clear()
    storage.copy_file(place, storage.join(store, "copy"))
    assert gate.counts == {"HEAD": 1, "PUT": 1}, "the server copies"
    assert storage.read_text(storage.join(store, "copy")) == "text"


def test_a_busy_server_is_asked_again(gate: Gate, store: str) -> None:
    chance = random.Random(7)
    gate.refuse = lambda method, path: chance.random() < 0.5
    for number in range(10):
        place = storage.join(store, "busy", str(number))
        storage.write_text_atomic(place, str(number))
        storage.copy_file(place, f"{place}-copy")
        assert storage.read_text(f"{place}-copy") == str(number)
    assert len(storage.list_files(storage.join(store, "busy"))) == 20
    assert gate.counts["503"] > 20


def test_a_server_that_stays_busy_is_given_up(gate: Gate, store: str) -> None:
    storage.write_text_atomic(storage.join(store, "given-up"), "old")
    gate.refuse = lambda method, path: True
    begun = time.monotonic()
    with pytest.raises(OSError, match="503"):
        storage.resolve(store)[0].get_file_info(storage.resolve(store)[1] + "/given-up")
    assert 5 < time.monotonic() - begun < 60
    assert gate.counts["503"] < 20
    gate.refuse = lambda method, path: False
    assert storage.read_text(storage.join(store, "given-up")) == "old"


def test_killed_at_any_point_one_version_is_whole_after_repair(store: str, tmp_path: Path) -> None:
    assert not storage.renames_folders(store)
    killed_at_every_point(storage.join(store, "killed"), tmp_path)


WRITER = """
import os, sys
from emberline.features import storage
with storage.open_output(sys.argv[1]) as stream:
    for _ in range(int(sys.argv[2])):
        stream.write(os.urandom(1 << 20))
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("mebibytes", [1, 25])
def test_a_writer_that_is_killed_leaves_no_object(gate: Gate, store: str, mebibytes: int) -> None:
    """Below ten megabytes there is no multipart upload that could stay either."""
    place = storage.join(store, f"killed-writer-{mebibytes}")
    command = [sys.executable, "-c", WRITER, place, str(mebibytes)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not storage.exists(place)
    assert (gate.counts["POST"] > 0) == (mebibytes > 10), "only large objects are uploaded in parts"


def test_training_reads_blocks_not_rows(
    gate: Gate, version: str, emberline, submit: dict[str, str], tmp_path: Path
) -> None:
    """docs/scale.md: a GET per block and a HEAD per shard and worker, per epoch; steps cost no requests."""
    found = manifest(version)
    shards = [shard for split in found["splits"].values() for shard in split["shards"]]

    def trained(epochs: int) -> tuple[int, int]:
        gate.counts.clear()
        done = emberline("train", "--pipeline", "iris_dnn", "--dataset", version, "--output",
                         f"{BUCKET}/trainings/{epochs}", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db",
                         "--set", f"training.epochs={epochs}", "--set", "training.workers=2",
                         env=submit)  # fmt: skip
        assert done.code == 0, done.stderr[-3000:]
        print(epochs, "epochs", dict(gate.counts))
        return gate.counts["GET"], gate.counts["HEAD"]

    few, many = trained(2), trained(12)
    per_epoch = [(b - a) / 10 for a, b in zip(few, many, strict=True)]
    print("per epoch: GET, HEAD", per_epoch, "shards", len(shards))
    assert per_epoch[0] <= 2 * 2 * len(shards) + 10
    assert per_epoch[1] <= 2 * 2 * len(shards) + 10


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("reader-key", "reader-secret"), "ACCESS_DENIED"),
        (("reader-key", "wrong"), "SIGNATURE_DOES_NOT_MATCH"),
        (("nobody", "wrong"), "INVALID_ACCESS_KEY_ID"),
    ],
)
def test_keys_without_rights_need_a_person(
    gate: Gate, version: str, raw: str, emberline, submit: dict[str, str], keys: tuple[str, str], words: str
) -> None:
    before = listing(f"{BUCKET}/workspace")
    done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", version, "--overwrite",
                     env=variables(gate.url, *keys) | submit)  # fmt: skip
    assert (done.code, listing(f"{BUCKET}/workspace")) == (2, before)
    assert words in done.result["reason"] or "ACCESS_DENIED" in done.result["reason"]
    assert keys[1] not in done.stdout + done.stderr


def test_without_hadoops_connector_it_is_said_what_to_pass(gate: Gate, raw: str, emberline) -> None:
    done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", f"{BUCKET}/without/v1")
    assert done.code == 2, done.stderr[-3000:]
    assert "--packages org.apache.hadoop:hadoop-aws" in done.result["reason"]
    assert listing(f"{BUCKET}/without") == {}


def test_doctor_tries_a_bucket_in_executors_too(gate: Gate, emberline, submit: dict[str, str], tmp_path: Path) -> None:
    done = emberline("doctor", "--workspace", f"{BUCKET}/workspace", "--master", "local-cluster[1,1,1024]",
                     "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db",
                     env=submit)  # fmt: skip
    assert done.code == 0, done.stderr[-3000:]
    assert "folders are copied, file by file" in done.result["checks"][f"store {BUCKET}/workspace"]
