"""What DAGs tell each other: a day is in order, a dataset version, a champion or predictions are there.

Events carry the day they are about, such as `20260102`, as their partition: who waits for them runs once per day.
"""

from airflow.sdk import Asset


def day(data: str) -> Asset:
    """Returns a day of raw rows that passed the check."""
    return _asset("raw", data)


def dataset_version(recipe: str) -> Asset:
    """Returns a dataset version."""
    return _asset("dataset", recipe)


def champion(recipe: str) -> Asset:
    """Returns the registered model's alias `champion`, given to another version."""
    return _asset("champion", recipe)


def predictions(recipe: str) -> Asset:
    """Returns the predictions of a day."""
    return _asset("predictions", recipe)


def _asset(kind: str, of: str) -> Asset:
    return Asset(name=f"emberline_{kind}_{of}", uri=f"emberline://{kind}/{of}", group="emberline")
