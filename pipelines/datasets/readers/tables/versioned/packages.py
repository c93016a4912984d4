"""What a session lacks to read a table, and the line that adds it: by the versions of Spark that packages are made for.

A package for another version of Spark fails in the midst of reading: Delta 4.4.0 for Spark 4.2 writes with Spark 4.3.0
and cannot read, and Iceberg 1.12.0 for Spark 4.1 does nothing with it.
"""

from typing import Any

from pyspark.sql import SparkSession

DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"

DELTA_PACKAGES = {
    "4.0": "io.delta:delta-spark_4.0_{scala}:4.4.0",
    "4.1": "io.delta:delta-spark_4.1_{scala}:4.4.0",
    "4.2": "io.delta:delta-spark_4.2_{scala}:4.4.0",
}
ICEBERG_PACKAGES = {
    "4.0": "org.apache.iceberg:iceberg-spark-runtime-4.0_{scala}:1.11.0",
    "4.1": "org.apache.iceberg:iceberg-spark-runtime-4.1_{scala}:1.12.0",
}
POSTGRESQL_PACKAGE = "org.postgresql:postgresql:42.7.14"
"""Made for any version of Spark."""

DELTA_SETTINGS = (
    f"--conf spark.sql.extensions={DELTA_EXTENSION} "
    "--conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog"
)
ICEBERG_SETTINGS = (
    "--conf spark.sql.catalog.NAME=org.apache.iceberg.spark.SparkCatalog and the settings of your catalog"
)


def delta_advice(spark: SparkSession) -> str:
    """Returns how this session would get Delta Lake."""
    return _advice(spark, "Delta Lake", DELTA_PACKAGES, DELTA_SETTINGS, "--input delta:URI")


def iceberg_advice(spark: SparkSession) -> str:
    """Returns how this session would get Iceberg."""
    return _advice(spark, "Iceberg", ICEBERG_PACKAGES, ICEBERG_SETTINGS, "--input iceberg:CATALOG.NAMESPACE.TABLE")


def has_delta(spark: SparkSession) -> bool:
    """Returns whether the session's own Delta Lake reads tables."""
    return "delta" in str(spark.conf.get("spark.sql.extensions", "")).lower()  # platforms have one of another name


def _advice(spark: SparkSession, what: str, packages: dict[str, str], settings: str, without: str) -> str:
    machine: Any = spark._jvm
    scala = ".".join(str(machine.scala.util.Properties.versionNumberString()).split(".")[:2])
    minor = ".".join(spark.version.split(".")[:2])
    if minor in packages:
        return f"Start Spark with --packages {packages[minor].format(scala=scala)} {settings}."
    extra = without.partition(":")[0].rpartition(" ")[2]
    return (
        f"No published {what} works with Spark {spark.version} (there are packages for {', '.join(packages)}): read a "
        f"small table with {without} and emberline[{extra}], which needs no jar, or use such a Spark."
    )
