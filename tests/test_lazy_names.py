"""`import emberline as em`: names that come when they are used, and cost nothing before."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import emberline as em

ROOT = Path(__file__).parents[1]


def test_every_name_is_there_and_known_to_editors() -> None:
    tree = ast.parse((ROOT / "emberline" / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imported == set(em.__all__) == set(em._MODULES)
    for name in em.__all__:
        assert getattr(em, name).__module__.startswith("emberline."), name
    assert set(em.__all__) <= set(dir(em))
    with pytest.raises(AttributeError, match=r"no attribute 'trian'"):
        em.trian  # noqa: B018


def test_importing_it_imports_nothing_else() -> None:
    script = (
        "import sys, emberline as em\n"
        "heavy = {'tensorflow', 'keras', 'pyspark', 'mlflow', 'numpy', 'pyarrow'} & set(sys.modules)\n"
        "ours = [name for name in sys.modules if name.startswith('emberline.')]\n"
        "sys.exit(f'imported {heavy} {ours}' if heavy or ours else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
