"""A broker of Kafka on loopback, its own controller (KRaft), and Kafka's own tools as clients.

python -m tests.real.kafka FOLDER    # until Ctrl-C; prints where it listens
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from emberline.pipelines.scoring.streaming.kafka import kafka_package
from tests.real.hadoop import LOG4J, free_port
from tests.real.jars import SPARK, SPARK_JARS, class_path

VERSION = "4.4.0"
PACKAGES = (f"org.apache.kafka:kafka_2.13:{VERSION}", f"org.apache.kafka:kafka-tools:{VERSION}")
SPARK_PACKAGE = kafka_package(SPARK, "2.13")
START_SECONDS = 120
CLUSTER = "emberlineAAAAAAAAAAAAA"
"""Any 16 bytes as base64."""


@dataclass
class Broker:
    """The server.

    Args:
        folder: Of its settings, messages and log.
    """

    folder: Path
    port: int = field(default_factory=free_port)
    controller: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it takes connections; what it held before a stop is there again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        given = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": f"{self.folder}/data",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
        }
        settings = self.folder / "server.properties"
        settings.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        (self.folder / "log4j2.properties").write_text(LOG4J)
        self.run("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings), "--ignore-formatted")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_java("512m"), f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties", "kafka.Kafka",
                 str(settings)],
                stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the broker did not come up"
            time.sleep(0.2)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)

    def create(self, *topics: str, partitions: int = 2) -> None:
        """Makes topics."""
        for topic in topics:
            self.run("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.address, "--create", "--topic",
                     topic, "--partitions", str(partitions))  # fmt: skip

    def delete(self, topic: str) -> None:
        """Removes a topic."""
        self.run("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.address, "--delete", "--topic",
                 topic)  # fmt: skip

    def send(self, topic: str, messages: Iterable[str]) -> None:
        """Writes messages, each a line."""
        self.run("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", self.address, "--topic", topic,
                 given="".join(f"{message}\n" for message in messages))  # fmt: skip

    def read(self, topic: str) -> list[tuple[int, int, str, str]]:
        """Returns partition, offset, key and value of every message that is there."""
        said = self.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", self.address, "--topic", topic,
            "--from-beginning", "--timeout-ms", "15000", "--formatter-property", "print.partition=true",
            "--formatter-property", "print.offset=true", "--formatter-property", "print.key=true",
        )  # fmt: skip
        found = []
        for line in said.splitlines():
            partition, offset, key, value = line.split("\t", 3)
            found.append((int(partition.partition(":")[2]), int(offset.partition(":")[2]), key, value))
        return sorted(found)

    def run(self, main: str, *arguments: str, given: str | None = None) -> str:
        """Returns what a program of Kafka's says."""
        done = subprocess.run(
            [*_java("256m"), main, *arguments], input=given, capture_output=True, text=True, timeout=300, check=False,
            cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
        return done.stdout

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            return False
        return True


def connector() -> str:
    """Returns Spark's package for Kafka with what Spark itself has not, as a class path."""
    found = class_path("kafka-spark-" + SPARK_PACKAGE.rpartition(":")[2], SPARK_PACKAGE).split(os.pathsep)
    own = ("org.apache.spark_", "org.apache.kafka_", "org.apache.commons_commons-pool2")
    return os.pathsep.join(path for path in found if Path(path).name.startswith(own))


def _java(memory: str) -> list[str]:
    # Spark's resolver leaves out what Spark itself has.
    scala = [str(path) for path in SPARK_JARS.iterdir() if path.name.startswith(("scala-library-", "scala-reflect-"))]
    path = os.pathsep.join([class_path(f"kafka-{VERSION}", *PACKAGES), *scala])
    java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if "JAVA_HOME" in os.environ else "java"
    return [java, f"-Xmx{memory}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", path]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.real.kafka", description=__doc__)
    parser.add_argument("folder", type=Path)
    broker = Broker(parser.parse_args().folder.resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server ends with it, as it does at Ctrl-C
    try:
        broker.start()
        print(f"# --brokers {broker.address}, until Ctrl-C", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        broker.stop()


if __name__ == "__main__":
    main()
