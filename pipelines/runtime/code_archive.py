"""The code as one archive for `spark-submit --py-files`: `python -m emberline.pipelines.runtime.code_archive dist`.

A `.zip`, because executors do not import a `.whl` (local mode does, which hides it). Only code travels; the
packages it needs must be in the cluster's Python environment (`emberline.pipelines.runtime.environment_archive` packs
one).
"""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path

import emberline
from emberline.pipelines.runtime.version import BUNDLE, VERSION

ROOMS = ("features", "models", "pipelines")
KINDS = (".py", ".html", ".css")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""One date for every entry, so that the same code gives the same bytes."""


def bundle(target: str) -> Path:
    """Writes the archive and returns its path; parent folders are made.

    It says in itself which code it is: the version and the beginning of the SHA-256 of everything in it.
    """
    root, path = Path(emberline.__file__).parent, Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        shipped = (file for room in ROOMS for file in (root / room).rglob("*") if file.suffix in KINDS)
        for file in [root / "__init__.py", *sorted(shipped)]:
            name, content = str(file.relative_to(root.parent)), file.read_bytes()
            found.update(f"{name}\n{len(content)}\n".encode() + content)
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content)
        archive.writestr(zipfile.ZipInfo(f"emberline/{BUNDLE}", EPOCH), f"{VERSION}+{found.hexdigest()[:12]}\n")
    return path


def release(folder: str) -> Path:
    """Writes `emberline-VERSION.zip`, and the same as `emberline.zip`, which schedulers name; returns the former."""
    path = bundle(str(Path(folder) / f"emberline-{VERSION}.zip"))
    shutil.copyfile(path, path.with_name("emberline.zip"))
    return path


if __name__ == "__main__":
    print(release(sys.argv[1] if len(sys.argv) > 1 else "dist"))
