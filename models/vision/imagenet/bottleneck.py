"""What a trained network says of an image just before it names a class: computed once per image, and kept.

"How to Retrain an Image Classifier for New Categories" of the TensorFlow documentation calls it a bottleneck. Train an
epoch of this network, whose trunk stands still; score all images with it, which writes a vector per image; and train
any head on those, such as `emberline.models.tabular.dnn` above `Numeric("embedding", shape=(2048,))`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column
from emberline.features.errors import BadInputError
from emberline.models.vision.imagenet import applications

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        trunk: Network and weights; with `head="new"` and `frozen=-1`.
        classes: Of the label.
    """

    trunk: applications.Config
    classes: int

    def __post_init__(self) -> None:
        if self.trunk.head != "new":
            raise BadInputError('model.trunk: a bottleneck has no head of its own. Set model.trunk.head="new".')

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.trunk.columns

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `embedding`, unit vectors, and `logits` above them."""
    import keras

    from emberline.models.vision.image_input import model_input
    from emberline.models.vision.layers import UnitLength

    pixels = model_input(config.trunk.image)
    place = UnitLength(name="embedding")(applications.embedded(config.trunk, pixels))
    logits = keras.layers.Dense(config.classes, name="logits")(place)
    return keras.Model({config.trunk.image.name: pixels}, {"embedding": place, "logits": logits}, name="bottleneck")
