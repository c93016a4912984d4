"""A whole run on a real HDFS, and what happens when it refuses, is full, or loses a node."""

import errno
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emberline.features import storage
from tests.features.test_publishing import (  # noqa: F401  the same tests, in a folder of HDFS
    killed_at_every_point,
    test_a_folder_takes_the_place_of_another,
)
from tests.features.test_storage import (  # noqa: F401
    test_atomic_write_leaves_nothing_behind_when_it_fails,
    test_make_dirs_and_names_with_special_characters,
    test_many_files_are_moved_at_once_and_a_failure_is_heard,
    test_streams_are_never_decompressed,
    test_write_read_list_move_delete,
)
from tests.real.conftest import listing, manifest, python_path, training_command
from tests.real.hadoop import BLOCK, Hadoop

pytest.importorskip("hdfs_native")

Run = Callable[..., object]


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hadoop]:
    """A name node and two data nodes; this process and its children are clients."""
    servers = Hadoop(tmp_path_factory.mktemp("hadoop"))
    before = os.environ.get("HADOOP_CONF_DIR")
    try:
        servers.start()
        os.environ["HADOOP_CONF_DIR"] = str(servers.conf)
        storage._filesystem.cache_clear()
        yield servers
    finally:
        servers.stop()
        storage._filesystem.cache_clear()
        os.environ.pop("HADOOP_CONF_DIR")
        if before is not None:
            os.environ["HADOOP_CONF_DIR"] = before


@pytest.fixture
def store(hadoop: Hadoop) -> str:
    return f"{hadoop.uri}/store"


@pytest.fixture(scope="module")
def raw(hadoop: Hadoop, flower_files: Path) -> str:
    storage.copy_folder(str(flower_files), "hdfs:///raw/iris")
    return "hdfs:///raw/iris"


@pytest.fixture(scope="module")
def whole_run(raw: str, emberline, tmp_path_factory: pytest.TempPathFactory):
    tracking = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    done = emberline("run", "iris_dnn", "--input", raw, "--workspace", "hdfs:///workspace", "--tracking-uri", tracking,
                     "--set", "training.epochs=3")  # fmt: skip
    assert done.code == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def version(whole_run) -> str:
    """The dataset version that the run made."""
    found = [uri for uri in listing("hdfs:///workspace") if uri.endswith("/manifest.json")]
    assert len(found) == 1
    return found[0].removesuffix("/manifest.json")


def test_a_whole_run_makes_the_dataset_of_the_local_disk(
    version: str, whole_run, flower_files: Path, emberline, tmp_path: Path
) -> None:
    local = emberline("etl", "--pipeline", "iris_dnn", "--input", flower_files, "--output", tmp_path / "v",
                      "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")  # fmt: skip
    assert local.code == 0, local.stderr[-3000:]
    assert manifest(version)["digest"] == manifest(str(tmp_path / "v"))["digest"]
    names = listing("hdfs:///workspace")
    assert any("predictions" in uri and uri.endswith(".parquet") for uri in names)
    assert not [uri for uri in names if ".staging-" in uri or ".claim" in uri or ".replaced-" in uri]


def test_killed_at_any_point_one_version_is_whole_after_repair(store: str, tmp_path: Path) -> None:
    assert storage.renames_folders(store)
    killed_at_every_point(storage.join(store, "killed"), tmp_path)


def test_a_file_is_replaced_without_a_gap(store: str) -> None:
    place, over, missed = storage.join(store, "gap"), threading.Event(), 0
    storage.write_text_atomic(place, "0")

    def read() -> None:
        nonlocal missed
        while not over.is_set():
            missed += not storage.exists(place)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        storage.write_text_atomic(place, str(number))
    over.set()
    reader.join(60)
    assert (missed, storage.read_text(place)) == (0, "99")


def test_files_of_many_blocks_and_of_a_writer_that_is_not_done(store: str) -> None:
    place, data = storage.join(store, "blocks"), os.urandom(3 * BLOCK + 7)
    with storage.open_output(place) as stream:
        stream.write(data[:BLOCK])
        stream.write(data[BLOCK:])
    assert storage.read_bytes(place) == data
    with storage.open_random(place) as file:
        assert file.size() == len(data)
        assert file.read_at(BLOCK, 2 * BLOCK - 5) == data[2 * BLOCK - 5 : 3 * BLOCK - 5]
        assert file.read_at(100, len(data) - 3) == data[-3:]
        assert file.read_at(100, len(data)) == b""
    filesystem, path = storage.resolve(place)
    with filesystem.open_append_stream(path) as stream:
        stream.write(b"more")
    assert storage.read_bytes(place) == data + b"more"


def test_an_output_is_kept_from_its_input_under_another_name(hadoop: Hadoop, raw: str, emberline) -> None:
    before = listing(raw)
    done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--overwrite",
                     "--output", f"hdfs://localhost:{hadoop.port}/raw/iris/v1")  # fmt: skip
    assert (done.code, listing(raw)) == (2, before)
    assert "lies in --input 'hdfs:///raw/iris'" in done.result["reason"]


def test_without_the_right_to_write_nothing_changes_and_a_person_is_asked(version: str, raw: str, emberline) -> None:
    before = listing("hdfs:///workspace")
    done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", version, "--overwrite",
                     env={"HADOOP_USER_NAME": "bob"})  # fmt: skip
    assert (done.code, listing("hdfs:///workspace")) == (2, before)
    assert "Permission denied: user=bob, access=WRITE" in done.result["reason"]
    assert "\n" not in done.result["reason"]


def test_without_the_right_to_read_a_person_is_asked(hadoop: Hadoop, raw: str, emberline) -> None:
    hadoop.shell("-mkdir", "-p", "/tmp")
    hadoop.shell("-chmod", "777", "/tmp")
    hadoop.shell("-chmod", "-R", "700", "/raw/iris")
    try:
        done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", "hdfs:///tmp/v1",
                         env={"HADOOP_USER_NAME": "bob"})  # fmt: skip
    finally:
        hadoop.shell("-chmod", "-R", "755", "/raw/iris")
    assert done.code == 2, done.stderr[-3000:]
    assert "Permission denied: user=bob" in done.result["reason"]
    assert not [uri for uri in listing("hdfs:///tmp") if ".staging-" in uri]


def test_in_safe_mode_a_second_try_may_help(hadoop: Hadoop, version: str, raw: str, emberline) -> None:
    before = listing("hdfs:///workspace")
    hadoop.admin("-safemode", "enter")
    try:
        done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", version, "--overwrite")
    finally:
        hadoop.admin("-safemode", "leave")
    assert (done.code, listing("hdfs:///workspace")) == (1, before)
    assert "Name node is in safe mode" in done.result["reason"]
    assert "run it again" in done.result["reason"]


def test_a_quota_exceeded_in_the_middle_keeps_the_old_file(hadoop: Hadoop) -> None:
    place = "hdfs:///quota/file"
    storage.write_text_atomic(place, "old")
    hadoop.admin("-setSpaceQuota", str(2 * 2 * BLOCK + 100), "/quota")  # two blocks on two nodes
    try:
        with pytest.raises(OSError, match="quota") as caught:
            storage.write_bytes_atomic(place, os.urandom(5 * BLOCK))
        assert caught.value.errno == errno.EDQUOT
        assert listing("hdfs:///quota") == {place: 3}
        assert storage.read_text(place) == "old"
    finally:
        hadoop.admin("-clrSpaceQuota", "/quota")


def test_a_quota_exceeded_in_an_etl_keeps_the_old_version(hadoop: Hadoop, version: str, raw: str, emberline) -> None:
    before = listing("hdfs:///workspace")
    used = 2 * sum(before.values())
    hadoop.admin("-setSpaceQuota", str(used + 2 * BLOCK + 50_000), "/workspace")  # room for one open file at a time
    try:
        done = emberline("etl", "--pipeline", "iris_dnn", "--input", raw, "--output", version, "--overwrite")
        assert done.code == 1, done.stderr[-3000:]
        assert "quota" in done.result["reason"]
        assert "\n" not in done.result["reason"]
        assert listing("hdfs:///workspace") == before
    finally:
        hadoop.admin("-clrSpaceQuota", "/workspace")


def test_training_goes_on_without_a_data_node(hadoop: Hadoop, version: str, tmp_path: Path) -> None:
    output = "hdfs:///trainings/killed"
    command = training_command(version, output, f"sqlite:///{tmp_path}/mlflow.db", "training.epochs=150")
    process = subprocess.Popen(command, env=python_path(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 600
        while not [uri for uri in listing(output) if uri.endswith("position.json")]:
            assert process.poll() is None, process.communicate(timeout=60)[1][-3000:]
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.5)
        hadoop.kill("data node 1")
        killed_before_the_end = process.poll() is None
        _, stderr = process.communicate(timeout=900)
    finally:
        process.kill()
        hadoop.start_data_node(1)
        hadoop.wait_until(lambda: hadoop.live_data_nodes() == 2, "the data node did not come back")
    assert killed_before_the_end
    assert process.returncode == 0, stderr[-3000:]
    assert [uri for uri in listing(output) if uri.endswith("saved_model.pb")]


def test_doctor_tries_stores(hadoop: Hadoop, emberline, tmp_path: Path) -> None:
    good = emberline("doctor", "--workspace", "hdfs:///workspace", "--master", "local-cluster[1,1,1024]",
                     "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")  # fmt: skip
    assert good.code == 0, good.stderr[-3000:]
    assert "folders are renamed in one step" in good.result["checks"]["store hdfs:///workspace"]
    bad = emberline("doctor", "--store", "hdfs:///workspace", "--store", f"hdfs://127.0.0.1:{hadoop.port + 1}/x",
                    "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db", env={"HADOOP_USER_NAME": "bob"})  # fmt: skip
    assert bad.code == 2
    assert "cannot write: [Errno 13] Permission denied: user=bob" in bad.stderr
    assert f"No name node of hdfs://127.0.0.1:{hadoop.port + 1} answers" in bad.stderr
    assert not [uri for uri in listing("hdfs:///workspace") if ".doctor-" in uri]
