"""A Python environment as one archive for `spark-submit --archives`.

`python -m emberline.pipelines.runtime.environment_archive dist` packs the environment that it runs in. `make
environment` packs another one, `.venv-run`, which holds the packages of `requirements.lock` and nothing for developers.

For clusters whose nodes have Python but none of our packages. The interpreter does not travel: nodes need the same
Python (3.11 for 3.11) where the archive's link leads, which is this machine's prefix unless told otherwise.
"""

import argparse
import sys
from pathlib import Path

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.version import VERSION

LEFT_OUT = (
    "*/__pycache__/*",
    "*/__editable__*",  # links to a checkout; the code travels as `emberline.zip`
    "*/emberline-*.dist-info/*",
    "bin/emberline",
    "*/site-packages/pyspark/jars/*",  # a cluster has its own Spark; executors read Python from here
    "*/site-packages/tensorflow/include/*",  # for compilers
    "*/site-packages/clang/*",
)


def pack(
    folder: str, python_prefix: str | None = None, compress_level: int = 4, environment: str | None = None
) -> Path:
    """Writes `emberline-environment-VERSION.tar.gz`; replaces an older one.

    Args:
        folder: Where to.
        python_prefix: Where the nodes have Python, such as `/usr`; this machine's prefix if not given.
        compress_level: 0 to 9; 0 is quick and four times as large.
        environment: Folder of the environment; the one that this runs in if not given.

    Raises:
        BadInputError: if that is no virtual environment, or venv-pack is not installed.
    """
    try:
        import venv_pack
    except ImportError as error:
        raise BadInputError("venv-pack is not installed here: pip install 'emberline[dev]'.") from error
    packed = environment or sys.prefix
    if not (Path(packed) / "pyvenv.cfg").exists():
        raise BadInputError(
            f"{packed} is no virtual environment: it has no pyvenv.cfg. Run this with .venv/bin/python, or name with "
            "--environment a folder that `python -m venv` made."
        )
    path = Path(folder) / f"emberline-environment-{VERSION}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = venv_pack.Env(packed)
    for pattern in LEFT_OUT:
        content = content.exclude(pattern)
    content.pack(str(path), python_prefix=python_prefix, compress_level=compress_level, force=True)
    path.chmod(0o644)  # it was made as a temporary file, for its owner's eyes
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="dist")
    parser.add_argument("--python-prefix", metavar="FOLDER", help="where the nodes have Python, such as /usr")
    parser.add_argument("--environment", metavar="FOLDER", help="of the environment to pack; default: this one")
    parser.add_argument("--compress-level", type=int, default=4, metavar="0-9")
    given = parser.parse_args()
    print(pack(given.folder, given.python_prefix, given.compress_level, given.environment))
