"""What etl says about its data: which version it is compared with, and the page that people look at."""

from collections.abc import Mapping
from typing import Any

from emberline.features import storage
from emberline.features.dataset_version import SUCCESS, DatasetVersion, open_version
from emberline.features.profile.page import ProfileInput, profile_html
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.features.validation.checks import Anomaly


def earlier_version(previous: str | None, output: str) -> DatasetVersion | None:
    """Returns the version to compare with: the one that was named, or a complete one that is about to be replaced.

    Raises:
        BadInputError: if what was named is no complete version.
    """
    if previous is None and not storage.exists(storage.join(output, SUCCESS)):
        return None
    return open_version(previous or output)


def profile_page(
    schema: Schema,
    splits: Mapping[str, Statistics],
    earlier: DatasetVersion | None,
    anomalies: tuple[Anomaly, ...],
    manifest: Mapping[str, Any],
    output: str,
) -> str:
    """Returns `profile.html` of a new version, or of data that was only validated.

    Args:
        schema: The raw fields.
        splits: Statistics of each split.
        earlier: The version it was compared with.
        anomalies: What is not as expected.
        manifest: The version's manifest, or the report of data that no version was made of.
        output: URI of either's folder.
    """
    synthetic = manifest["source"]["synthetic"]
    known = {f"best {name}": value for name, value in synthetic["best"].items()} if synthetic else {}
    about = {"dataset": output, "digest": manifest["digest"][:12]} if "digest" in manifest else {"report": output}
    facts = about | {"source": manifest["source"]["uri"]}
    if earlier is not None:
        facts |= {"previous version": earlier.uri, "previous digest": earlier.digest[:12]}
    return profile_html(
        ProfileInput(
            title=manifest["recipe"],
            schema=schema,
            splits=splits,
            previous=None if earlier is None else earlier.statistics,
            anomalies=anomalies,
            facts=facts | {"created": manifest["created"]},
            synthetic=", ".join(f"{name.replace('_', ' ')} {value:.6g}" for name, value in known.items()),
            rows_read=manifest["rows_read"],
            rows_rejected=manifest["rows_rejected"],
            reasons=manifest["reasons"],
        )
    )
