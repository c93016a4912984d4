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
    ivy = CACHE / "ivy"
    wanted = [ivy / "jars" / "{}_{}-{}.jar".format(*coordinate.split(":")) for coordinate in coordinates]
    if not all(path.exists() for path in wanted):
        CACHE.mkdir(parents=True, exist_ok=True)
        program = CACHE / "nothing.py"
        program.write_text("")
        subprocess.run(
            [str(SPARK_JARS.parent / "bin" / "spark-submit"), "--master", "local[1]", "--conf", f"spark.jars.ivy={ivy}",
             "--packages", ",".join(coordinates), str(program)],
            env=os.environ | {"PYSPARK_PYTHON": sys.executable}, check=True, timeout=1800,
        )  # fmt: skip
    return wanted
