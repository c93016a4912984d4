"""The helpers of these DAGs for other people's: `from emberline.airflow_dags.recipe_tasks import RecipeTasks`.

Airflow's environment needs the wheel alone (`pip install --no-deps emberline`): nothing here imports the rooms. A
folder of DAGs needs no wheel: there the helpers are plain files that import each other by their own names.
"""

import importlib
import sys
from pathlib import Path

if __name__ != "emberline.airflow_dags":  # a second name would load every module twice
    raise ImportError(f"This package is imported as emberline.airflow_dags, not as {__name__}.", name=__name__)

_here = Path(__file__).resolve().parent
if any(Path(folder).resolve() == _here for folder in sys.path if folder):
    # This very folder is that of the DAGs: what they import by plain names is what is found here.
    for _name in ("submission_file", "recipe_assets", "failure_report", "spark_job", "recipe_tasks"):
        sys.modules[f"{__name__}.{_name}"] = globals()[_name] = importlib.import_module(_name)
