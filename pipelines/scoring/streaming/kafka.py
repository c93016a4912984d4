"""Topics of Kafka as a source and a destination, and what a session or a broker lacks for that."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError, nearest
from emberline.features.names import quoted
from emberline.pipelines.scoring.streaming.messages import MESSAGE, OFFSET, PARTITION, TOPIC

SCHEME = "kafka:"
PACKAGE = "org.apache.spark:spark-sql-kafka-0-10_{scala}:{version}"
OTHER_VERSIONS = {"4.3.0": "4.2.0"}
"""Of the package, by Spark's, where none of that version is published, and that which works with it."""

ANSWER_SECONDS = 15
"""For a broker to name its topics."""

EARLIEST, LATEST = "earliest", "latest"


class NoBrokerError(RuntimeError):
    """No broker answers; one may later."""


@dataclass(frozen=True)
class Kafka:
    """A cluster of brokers.

    Args:
        brokers: `HOST:PORT`, several with commas.
        settings: Of Kafka's client, such as `security.protocol`.
    """

    brokers: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)  # passwords among them

    @property
    def options(self) -> dict[str, str]:
        """As Spark's reader and writer take them."""
        named = {"bootstrap.servers": self.brokers} | dict(self.settings)
        return {f"kafka.{name}": value for name, value in named.items()}

    def require(self, spark: SparkSession, topics: Sequence[str]) -> None:
        """Checks that the session reads Kafka, that a broker answers, and that topics are there.

        Raises:
            BadInputError: if the session has no Kafka, or there is no such topic.
            NoBrokerError: if no broker answers.
        """
        machine: Any = spark._jvm
        try:
            machine.java.lang.Class.forName(
                "org.apache.spark.sql.kafka010.KafkaSourceProvider", False,
                machine.java.lang.Thread.currentThread().getContextClassLoader(),
            )  # fmt: skip
        except Py4JError:
            raise BadInputError(f"This session has no Kafka. {kafka_advice(spark)}") from None
        known = self._topics(machine)
        for topic in topics:
            if topic not in known:
                raise BadInputError(
                    f"No topic {topic!r} at {self.brokers}. {nearest(topic, known)} Create it first: with how many "
                    "partitions is yours to say."
                )

    def _topics(self, machine: Any) -> list[str]:
        limit = str(ANSWER_SECONDS * 1000)
        given = {"bootstrap.servers": self.brokers, "request.timeout.ms": limit, "default.api.timeout.ms": limit}
        properties = machine.java.util.Properties()
        for name, value in (given | dict(self.settings)).items():
            properties.setProperty(name, value)
        try:
            client = machine.org.apache.kafka.clients.admin.AdminClient.create(properties)
        except Py4JJavaError as error:
            raise BadInputError(
                f"Kafka's client does not take its settings (--brokers {self.brokers}, --kafka-config): "
                f"{_cause(error)}. Correct them."
            ) from None
        try:
            names = client.listTopics().names().get(ANSWER_SECONDS + 5, machine.java.util.concurrent.TimeUnit.SECONDS)
            return sorted(str(name) for name in names)
        except Py4JJavaError as error:
            raise NoBrokerError(
                f"No broker of {self.brokers} answered within {ANSWER_SECONDS} s: {_cause(error)}. Start it, or "
                "correct --brokers or the settings of --kafka-config."
            ) from None
        finally:
            client.close(machine.java.time.Duration.ofSeconds(1))

    def read(self, spark: SparkSession, topic: str, starting: str, most: int | None, parts: int) -> DataFrame:
        """Returns the messages of a topic as a stream: bytes, topic, partition, offset.

        Args:
            spark: The session.
            topic: Its name.
            starting: `earliest`, `latest`, or an offset per partition as JSON; where there is a checkpoint, it counts.
            most: Messages of a batch; None for all that are there.
            parts: Tasks that a batch is read in at least.
        """
        reader = spark.readStream.format("kafka").options(**self.options).option("subscribe", topic)
        reader = reader.option("startingOffsets", starting).option("minPartitions", parts)
        if most is not None:
            reader = reader.option("maxOffsetsPerTrigger", most)
        return reader.load().select(
            F.col("value").alias(MESSAGE),
            F.col("topic").alias(TOPIC),
            F.col("partition").alias(PARTITION),
            F.col("offset").alias(OFFSET),
        )

    def write(self, rows: DataFrame, key: str | None, topic: str) -> None:
        """Writes rows as JSON objects, each at least once.

        Args:
            rows: The rows.
            key: Column that becomes the messages' key.
            topic: Takes them.
        """
        value = F.to_json(F.struct("*"), {"ignoreNullFields": "false"}).alias("value")
        columns = [value, F.col(quoted(key)).cast("string").alias("key")] if key else [value]
        rows.select(*columns).write.format("kafka").options(**self.options).option("topic", topic).save()


def topic_of(uri: str) -> str | None:
    """Returns the topic of `kafka:TOPIC`; None for other URIs."""
    return uri.removeprefix(SCHEME) if uri.startswith(SCHEME) else None


def starting_offsets(text: str, topic: str) -> str:
    """Returns where a stream begins, as Spark takes it.

    Args:
        text: `earliest`, `latest`, or JSON: an offset per partition, for the topic or within `{TOPIC: …}`.
        topic: Its name.

    Raises:
        BadInputError: if it is none of these.

    Example:
        >>> starting_offsets('{"0": 23, "1": -2}', "clicks")
        '{"clicks": {"0": 23, "1": -2}}'
    """
    if text in (EARLIEST, LATEST):
        return text
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    inner = given.get(topic, given) if isinstance(given, dict) else None
    if (
        not isinstance(inner, dict)
        or not inner
        or not all(
            name.isdigit() and isinstance(offset, int) and not isinstance(offset, bool)
            for name, offset in inner.items()
        )
    ):
        raise BadInputError(
            f"--starting takes earliest, latest, or an offset per partition such as "
            f'{{"0": 1500, "1": -2}} (-2 is the earliest, -1 the latest); got {text!r}.'
        )
    return json.dumps({topic: inner})


def read_settings(uri: str) -> dict[str, str]:
    """Returns the settings of a file of `NAME=VALUE` lines, as Kafka's own tools take it by `--command-config`.

    Raises:
        BadInputError: if it is not there, or a line is none.
    """
    if not storage.exists(uri):
        raise BadInputError(f"--kafka-config {uri!r} does not exist. Give a file of NAME=VALUE lines.")
    found = {}
    for number, line in enumerate(storage.read_text(uri).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise BadInputError(f"Line {number} of {uri!r} is no NAME=VALUE. Write one setting of Kafka's per line.")
        found[name.strip()] = value.strip()
    return found


def lost_messages(said: str) -> str:
    """Returns what Spark says about messages that a topic no longer has; empty for other failures."""
    if "failOnDataLoss" not in said:  # the option that it proposes; not every version says KAFKA_DATA_LOSS
        return ""
    found = re.search(r"failOnDataLoss.*?Reason:\s*([^\n]+?)(?: SQLSTATE|\n|$)", said, re.DOTALL)
    return found[1].strip() if found else "the topic no longer has them."


def kafka_package(spark_version: str, scala: str) -> str:
    """Returns Spark's package for Kafka by its name and version."""
    return PACKAGE.format(scala=scala, version=OTHER_VERSIONS.get(spark_version, spark_version))


def kafka_advice(spark: SparkSession) -> str:
    """Returns how this session would get Kafka."""
    machine: Any = spark._jvm
    scala = ".".join(str(machine.scala.util.Properties.versionNumberString()).split(".")[:2])
    package = kafka_package(spark.version, scala)
    return (
        f"Submit with --packages {package}, or without spark-submit set "
        f'PYSPARK_SUBMIT_ARGS="--packages {package} pyspark-shell".'
    )


def _cause(error: Py4JJavaError) -> str:
    """Returns the innermost reason, in Java's words."""
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.getMessage() or cause.toString()).rstrip(".")
