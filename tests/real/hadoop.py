"""A Hadoop on loopback: a name node, data nodes, and on request YARN, each a process of its own that can be killed.

    python -m tests.real.hadoop FOLDER          # HDFS, until Ctrl-C; prints what to set for clients
    python -m tests.real.hadoop FOLDER --yarn   # with a resource manager and two node managers

The servers come from a package of Maven's, `hadoop-client-minicluster`; almost everything else is in Spark's own jars.
"""

import argparse
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from tests.real.jars import HADOOP, SPARK_JARS, jars

START_SECONDS = 240
"""For a Java server on a busy machine."""

LOG4J = """rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""
PACKAGES = (
    f"org.apache.hadoop:hadoop-client-minicluster:{HADOOP}",
    *(f"org.bouncycastle:{name}-jdk18on:1.82" for name in ("bcprov", "bcpkix", "bcutil")),  # of resource managers
)
BLOCK = 1 << 20
"""Bytes of a block: files of tests then have several."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Hadoop:
    """Servers of one cluster.

    Args:
        folder: Of their settings, data and logs.
        extra_jars: What servers load besides.
    """

    folder: Path
    extra_jars: tuple[Path, ...] = ()
    port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)
    yarn_ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(5)])
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"hdfs://127.0.0.1:{self.port}"

    @property
    def conf(self) -> Path:
        """The folder for `HADOOP_CONF_DIR`."""
        return self.folder / "conf"

    @property
    def environment(self) -> dict[str, str]:
        """What clients need."""
        return {"HADOOP_CONF_DIR": str(self.conf)}

    @property
    def core(self) -> dict[str, object]:
        return {"fs.defaultFS": self.uri, "hadoop.tmp.dir": self.folder / "tmp"}

    @property
    def hdfs(self) -> dict[str, object]:
        return {
            "dfs.namenode.name.dir": f"file://{self.folder}/name",
            "dfs.namenode.http-address": f"127.0.0.1:{self.web_port}",
            "dfs.replication": 2,
            "dfs.blocksize": BLOCK,
            "dfs.namenode.fs-limits.min-block-size": BLOCK,
            "dfs.namenode.safemode.extension": 0,
            # A data node that is gone is noticed after 12 seconds, not after ten minutes.
            "dfs.heartbeat.interval": 1,
            "dfs.namenode.heartbeat.recheck-interval": 1000,
            # Two data nodes: none is left to replace one.
            "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
        }

    def start(self, data_nodes: int = 2) -> None:
        """Returns when all data nodes are known."""
        self._write("core-site.xml", self.core)
        self._write("hdfs-site.xml", self.hdfs)
        (self.conf / "log4j2.properties").write_text(LOG4J)
        name_node = "org.apache.hadoop.hdfs.server.namenode.NameNode"
        self.run(name_node, "-format", "-force")
        self.launch("name node", name_node)
        for index in range(data_nodes):
            self.start_data_node(index)
        self.wait_until(lambda: self.live_data_nodes() == data_nodes, "data nodes did not register")

    def start_data_node(self, index: int) -> None:
        anywhere = {f"dfs.datanode.{what}": "127.0.0.1:0" for what in ("address", "http.address", "ipc.address")} | {
            "dfs.datanode.data.dir": f"file://{self.folder}/data-{index}"
        }
        self.launch(f"data node {index}", "org.apache.hadoop.hdfs.server.datanode.DataNode", settings=anywhere)

    def start_yarn(self, node_managers: int = 2) -> None:
        """Returns when all node managers are known; HDFS runs."""
        self._write("yarn-site.xml", self.yarn)
        self._write("capacity-scheduler.xml", self.queues)
        self.launch("resource manager", "org.apache.hadoop.yarn.server.resourcemanager.ResourceManager")
        for index in range(node_managers):
            self.start_node_manager(index)
        self.wait_until(lambda: self.live_node_managers() == node_managers, "node managers did not register")

    @property
    def yarn(self) -> dict[str, object]:
        names = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")
        places = {
            f"yarn.resourcemanager.{name}": f"127.0.0.1:{port}"
            for name, port in zip(names, self.yarn_ports, strict=True)
        }
        return places | {
            # One node has room for a driver and two executors of a test: what is left when the other is killed.
            "yarn.nodemanager.resource.memory-mb": 7168,
            "yarn.nodemanager.resource.cpu-vcores": 4,
            "yarn.scheduler.minimum-allocation-mb": 128,
            # A container that takes more memory than it asked for is killed. What it merely reserved does not count:
            # TensorFlow reserves a multiple.
            "yarn.nodemanager.pmem-check-enabled": "true",
            "yarn.nodemanager.vmem-check-enabled": "false",
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 99.5,
            "yarn.nm.liveness-monitor.expiry-interval-ms": 15_000,
            "yarn.am.liveness-monitor.expiry-interval-ms": 60_000,
            "yarn.log-aggregation-enable": "false",
        }

    @property
    def queues(self) -> dict[str, object]:
        root = "yarn.scheduler.capacity.root"
        return {
            f"{root}.queues": "default,gpu",
            **{f"{root}.{queue}.capacity": 50 for queue in ("default", "gpu")},
            **{f"{root}.{queue}.maximum-capacity": 100 for queue in ("default", "gpu")},
            **{f"{root}.{queue}.user-limit-factor": 10 for queue in ("default", "gpu")},
            "yarn.scheduler.capacity.maximum-am-resource-percent": 0.9,
        }

    def start_node_manager(self, index: int) -> None:
        here = {
            f"yarn.nodemanager.{what}": "127.0.0.1:0" for what in ("address", "localizer.address", "webapp.address")
        } | {f"yarn.nodemanager.{what}-dirs": f"{self.folder}/node-{index}/{what}" for what in ("local", "log")}
        self.launch(f"node manager {index}", "org.apache.hadoop.yarn.server.nodemanager.NodeManager", settings=here)

    def kill_node(self, index: int) -> None:
        """Ends a node manager with all of its containers, as if the machine were gone."""
        self.kill(f"node manager {index}")
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"{self.folder}/node-{index}/".encode() in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue  # it ended while we looked

    def live_node_managers(self) -> int:
        url = f"http://127.0.0.1:{self.yarn_ports[4]}/ws/v1/cluster/metrics"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(json.load(answer)["clusterMetrics"]["activeNodes"])
        except OSError:
            return 0

    def container_logs(self) -> str:
        """What containers wrote, the last of each file, for messages of failing tests."""
        found = [path for path in self.folder.glob("node-*/log/*/*/std*") if path.stat().st_size]
        return "\n".join(f"== {path}\n{path.read_text(errors='replace')[-3000:]}" for path in found)

    def live_data_nodes(self) -> int:
        return int(self._bean("NameNode", "FSNamesystemState").get("NumLiveDataNodes", 0))

    def launch(self, name: str, main: str, settings: dict[str, object] | None = None) -> None:
        """Starts a server; its log is `NAME.log` in the folder."""
        definitions = [f"-D{key}={value}" for key, value in (settings or {}).items()]
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self.servers[name] = subprocess.Popen(
                [*self._java(), main, *definitions], stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
                env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | self.environment,
            )  # fmt: skip

    def run(self, main: str, *arguments: str) -> str:
        """Returns what a program of Hadoop's says; `FsShell` and `DFSAdmin` are such programs."""
        done = subprocess.run(
            [*self._java(), main, *arguments], capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def admin(self, *arguments: str) -> str:
        """Runs `hdfs dfsadmin`."""
        return self.run("org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments)

    def shell(self, *arguments: str) -> str:
        """Runs `hdfs dfs`."""
        return self.run("org.apache.hadoop.fs.FsShell", *arguments)

    def kill(self, name: str) -> None:
        """Ends a server as a power cut does."""
        server = self.servers.pop(name)
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(60)

    def stop(self) -> None:
        for index in (0, 1):
            if f"node manager {index}" in self.servers:
                self.kill_node(index)
        for name in list(self.servers):
            self.kill(name)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            for name, server in self.servers.items():
                log = self.folder / f"{name.replace(' ', '-')}.log"
                assert server.poll() is None, f"{name} ended: {log.read_text()[-3000:]}"
            assert time.monotonic() < deadline, what
            time.sleep(0.3)

    def _bean(self, service: str, name: str) -> dict[str, object]:
        query = f"http://127.0.0.1:{self.web_port}/jmx?qry=Hadoop:service={service},name={name}"
        try:
            with urllib.request.urlopen(query, timeout=5) as answer:
                return dict(next(iter(json.load(answer)["beans"]), {}))
        except OSError:
            return {}

    def _java(self) -> list[str]:
        ours = [*jars(*PACKAGES), *self.extra_jars]
        names = ("hadoop-client-api-", "hadoop-client-runtime-", "slf4j-api-", "log4j-", "jcl-over-", "snappy-java-")
        theirs = [path for path in SPARK_JARS.iterdir() if path.name.startswith(names)]
        classpath = os.pathsep.join(map(str, [self.conf, *ours, *theirs]))
        java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ else "java"
        return [java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classpath]

    def _write(self, name: str, settings: dict[str, object]) -> None:
        self.conf.mkdir(parents=True, exist_ok=True)
        lines = [
            f"<property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>"
            for key, value in settings.items()
        ]
        (self.conf / name).write_text("<configuration>\n" + "\n".join(lines) + "\n</configuration>\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.real.hadoop", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--yarn", action="store_true", help="a resource manager and two node managers too")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    hadoop = Hadoop(given.folder.resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # servers end with it, as they do at Ctrl-C
    try:
        hadoop.start()
        if given.yarn:
            hadoop.start_yarn()
        for name, value in hadoop.environment.items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# {hadoop.uri}, until Ctrl-C", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        hadoop.stop()


if __name__ == "__main__":
    main()
