"""Java packages by name and version, from wherever Spark's own resolver takes them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyspark

SPARK_JARS = Path(pyspark.__file__).parent / "jars"
HADOOP = re.fullmatch(r"hadoop-client-api-(.+)\.jar", next(SPARK_JARS.glob("hadoop-client-api-*")).name)[1]
"""Version of Hadoop that this Spark brings: servers and connectors of another would not fit."""
SPARK = pyspark.__version__

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "emberline-tests"


def jars(*coordinates: str) -> list[Path]:
    """Returns the files of packages `group:name:version` and of what they need, downloaded once."""
    return _resolved(CACHE / "ivy", *coordinates)


def class_path(name: str, *coordinates: str) -> str:
    """Returns packages and all that they need as a class path for Java, from a folder of that name of their own."""
    ivy = CACHE / name
    _resolved(ivy, *coordinates)
    return os.pathsep.join(str(path) for path in sorted((ivy / "jars").iterdir()))


def s3_connector() -> str:
    """Returns Hadoop's connector as a class path, as an image has it: by --packages each executor copies 700 MB."""
    jars(f"org.apache.hadoop:hadoop-aws:{HADOOP}")
    names = ("org.apache.hadoop_hadoop-aws-", "software.amazon", "org.wildfly")
    return os.pathsep.join(str(path) for path in (CACHE / "ivy" / "jars").iterdir() if path.name.startswith(names))


def _resolved(ivy: Path, *coordinates: str) -> list[Path]:
    wanted = [ivy / "jars" / "{}_{}-{}.jar".format(*coordinate.split(":")) for coordinate in coordinates]
    if not all(path.exists() for path in wanted):
        CACHE.mkdir(parents=True, exist_ok=True)
        program = CACHE / "nothing.py"
        program.write_text("")
        # Maven's own cache, where there is one, may have a description of a package without its file: then Ivy fails.
        options = f"{os.environ.get('SPARK_SUBMIT_OPTS', '')} -Duser.home={CACHE}"
        subprocess.run(
            [str(SPARK_JARS.parent / "bin" / "spark-submit"), "--master", "local[1]", "--conf", f"spark.jars.ivy={ivy}",
             "--packages", ",".join(coordinates), str(program)],
            env=os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_SUBMIT_OPTS": options}, check=True, timeout=1800,
        )  # fmt: skip
    return wanted
