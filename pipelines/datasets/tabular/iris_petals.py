"""Iris with two labels: its species and the width of its petals, both by the other three measures.

Files as those of `iris`.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emberline.features.schema import Label, Schema
from emberline.pipelines.datasets.tabular.iris import MEANS, SCHEMA, Iris, posterior, posterior_scores


class IrisPetals(Iris):
    """The same rows; the width of the petals is not read, but predicted."""

    name: ClassVar[str] = "iris_petals"
    schema: ClassVar[Schema] = Schema(
        fields=tuple(field for field in SCHEMA.fields if field.name != "petal_width"),
        label=SCHEMA.label,
        key=SCHEMA.key,
        more_labels=(Label("petal_width", minimum=0, maximum=100),),
    )

    def best(self, flowers: NDArray[np.float64], species: NDArray[np.int64]) -> dict[str, float]:
        """Returns the best scores of the species and of the expected width, both given three measures."""
        probabilities = posterior(flowers[:, :3])
        scores = posterior_scores(probabilities, species)
        missed = probabilities @ MEANS[:, 3] - flowers[:, 3]
        found = {f"species/{name}": value for name, value in scores.items()}
        return found | {"petal_width/rmse": float(np.sqrt(np.mean(missed**2)))}


DATASET = IrisPetals()
