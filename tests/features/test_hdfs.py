"""Names of places on HDFS, and what is said without a reader; what a real one does is in tests/real/test_hdfs.py."""

import sys
from pathlib import Path

import pytest

from emberline.features import hdfs, storage
from emberline.features.errors import BadInputError

CORE = {"fs.defaultFS": "hdfs://127.0.0.1:9000"}
PAIR = {
    "fs.defaultFS": "hdfs://pair",
    "dfs.ha.namenodes.pair": "one, two",
    "dfs.namenode.rpc-address.pair.one": "127.0.0.1:8020",
    "dfs.namenode.rpc-address.pair.two": "127.0.0.2:8020",
}
MOUNTS = {
    "fs.defaultFS": "viewfs://all",
    "fs.viewfs.mounttable.all.link./raw": "hdfs://127.0.0.1:9000/data/raw",
}


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes Hadoop's settings to where clients look."""

    def write(settings: dict[str, str]) -> None:
        lines = "".join(f"<property><name>{k}</name><value>{v}</value></property>" for k, v in settings.items())
        (tmp_path / "core-site.xml").write_text(f"<configuration>{lines}</configuration>")
        monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))

    monkeypatch.delenv("HADOOP_HOME", raising=False)
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    storage._filesystem.cache_clear()
    yield write
    storage._filesystem.cache_clear()


@pytest.mark.parametrize(
    ("settings", "uri", "folder", "inside"),
    [
        (CORE, "hdfs:///raw/x", "hdfs://127.0.0.1:9000/raw", True),
        (CORE, "hdfs://localhost:9000/raw/../raw/x", "hdfs:/raw", True),
        (CORE, "HDFS://127.0.0.1:9000/raw", "hdfs:///raw", True),
        (CORE, "webhdfs://localhost:9870/raw/x", "hdfs:///raw", True),
        (CORE, "hdfs:///raw2", "hdfs://127.0.0.1:9000/raw", False),
        (CORE, "hdfs://127.0.0.2:9000/raw", "hdfs:///raw", False),
        (CORE, "hdfs://127.0.0.1:9001/raw", "hdfs:///raw", False),
        (CORE, "hdfs:///raw", "s3://raw", False),
        (CORE, "hdfs:///", "hdfs:///", True),
        (PAIR, "hdfs://127.0.0.2/raw", "hdfs:///raw", True),
        (PAIR, "hdfs://pair/raw", "hdfs://127.0.0.1:8020/raw", True),
        (PAIR, "hdfs://pair/raw", "hdfs://127.0.0.3/raw", False),
        (MOUNTS, "viewfs://all/raw/x", "hdfs://127.0.0.1:9000/data", True),
        (MOUNTS, "hdfs:///raw/x", "hdfs://127.0.0.1:9000/data/raw", True),
        (MOUNTS, "viewfs://all/other", "hdfs://127.0.0.1:9000/data/raw", False),
        ({}, "hdfs://127.0.0.1/raw", "hdfs://localhost:8020/raw", True),
    ],
)
def test_a_place_has_many_names(configured, settings: dict[str, str], uri: str, folder: str, inside: bool) -> None:
    configured(settings)
    assert storage.is_within(uri, folder) == inside


def test_without_a_reader_it_is_said_what_to_install(configured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hdfs_native", None)
    with pytest.raises(BadInputError, match=r"hdfs://host:8020/: the package hdfs-native is not .*emberline\[hdfs\]"):
        storage.exists("hdfs://host:8020/x")


def test_a_uri_without_a_name_node_needs_hadoops_settings(configured, tmp_path: Path) -> None:
    pytest.importorskip("hdfs_native")
    with pytest.raises(BadInputError, match="names no name node, and HADOOP_CONF_DIR is not set"):
        storage.exists("hdfs:///x")
    configured({})
    with pytest.raises(BadInputError, match=f"{tmp_path} has no fs.defaultFS"):
        storage.exists("hdfs:///x")


def test_a_name_node_that_does_not_answer_is_named_soon(configured, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hdfs_native")
    monkeypatch.setattr(hdfs, "_CONNECT_SECONDS", 0.1)
    with pytest.raises(OSError, match=r"No name node of hdfs://127.0.0.1:9 answers at 127.0.0.1:9"):
        storage.exists("hdfs://127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (
            'RPCError("org.apache.hadoop.security.AccessControlException", "Permission denied: user=bob, access=WRITE, '
            'inode=\\"/t\\":root:supergroup:drwxr-xr-x\\n\\tat org.apache.hadoop.X")',
            PermissionError,
            'Permission denied: user=bob, access=WRITE, inode="/t":root:supergroup:drwxr-xr-x (have the rights given',
        ),
        (
            'RPCError("org.apache.hadoop.ipc.RetriableException", "org.apache.hadoop.hdfs.server.namenode.'
            'SafeModeException: Cannot create file /x. Name node is in safe mode.\\nThe reported blocks")',
            OSError,
            "run it again then",
        ),
        ("something else\\n\\tat x", OSError, "something else"),
    ],
)
def test_what_a_name_node_says_is_an_error_of_the_system(said: str, kind: type[OSError], words: str) -> None:
    error = hdfs._translated(said, "/t/x")
    assert isinstance(error, kind)
    assert words in str(error)
    assert "at org" not in str(error)
