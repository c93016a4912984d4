"""How many trainable weights a recipe's network has, without building it where that can be known.

Ours are written down here, and a test builds every network and holds the table against it. Those of projects are built
once, and kept in a file of this user by everything that decides about them.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from emberline.features.columns import cardinalities, stored
from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.code_archive import code_digest
from emberline.pipelines.runtime.projects import project_of
from emberline.pipelines.runtime.version import VERSION

COUNTS: Mapping[str, int | None] = {
    "antispam_cnn": None,
    "antispam_nbow": None,
    "antispam_rnn": None,
    "antispam_word2vec": None,
    "census_best": None,
    "census_linear": 3_055,
    "census_wide_deep": 21_351,
    "cifar10_resnet": 269_722,
    "cifar10_small": 1_068_298,
    "clicks_wide_deep": None,
    "coco_captions": None,
    "digits_mlp": 9_610,
    "drawings_conv_lstm": 1_055_142,
    "faces_age": 8_859_144,
    "faces_embedding": 125_072,
    "faces_gender": 8_855_553,
    "houses_crossed": 5_201,
    "imagenet_googlenet": 10_334_030,
    "imagenet_mobilenet": 3_217_226,
    "imagenet_resnet50": 23_555_082,
    "iris_dnn": 193,
    "iris_petals": 194,
    "mnist_autoencoder": 468_368,
    "mnist_cnn": 3_274_634,
    "mnist_cnn_keras": 600_810,
    "mnist_dcgan": 424_322,
    "mnist_embedding": 122_704,
    "mnist_fourier": 20_010,
    "mnist_lenet": 61_706,
    "mnist_linear": 7_850,
    "mnist_mlp": 1_276_810,
    "mnist_mlp_dropout": 1_276_810,
    "mnist_mlp_ema": 397_510,
    "mnist_row_lstm": 136_586,
    "mnist_softmax": 7_850,
    "mnist_vectors": 330,
    "movie_dialogs": None,
    "ptb_large": None,
    "ptb_medium": None,
    "ptb_small": None,
    "scene_captions": None,
    "scenes_embedding": 146_132,
    "sentiment_bilstm": None,
    "sentiment_cnn": None,
    "sentiment_nbow": None,
    "shapes_cnn": 136_419,
    "shapes_super_resolution": 630_339,
    "shapes_unet": 134_265,
    "sine_lstm": 12_271,
    "speech_commands_conv": 926_860,
    "speech_commands_low_latency": 949_862,
    "spoken_digits_lstm": 108_298,
    "translation": None,
    "word2vec": None,
}
"""By recipe; None where the number depends on what Spark will learn."""


def parameters(recipe: Recipe) -> int | None:
    """Returns trainable weights of the built network, or None when their number depends on what Spark will learn.

    Raises:
        Exception: whatever the network's own code raises.
    """
    try:
        sizes = cardinalities(stored(recipe.model.columns), Statistics(0, ()))
    except BadInputError:
        return None
    return built_parameters(recipe, sizes)


def built_parameters(recipe: Recipe, sizes: Mapping[str, int]) -> int:
    """Returns trainable weights of the network that is built for so many ids of each column.

    Raises:
        Exception: whatever the network's own code raises.
    """
    model = recipe.model_module.build(recipe.model, sizes)
    return sum(int(weight.value.shape.num_elements()) for weight in model.trainable_variables)


class KnownCounts:
    """Counts of projects' networks, in a file that outlives the process.

    Args:
        file: Default: `parameters.json` in the user's cache folder.
    """

    def __init__(self, file: Path | None = None) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self._file = file or Path(cache) / "emberline" / "parameters.json"
        try:
            self._known: dict[str, int | None] = json.loads(self._file.read_text())
        except (OSError, ValueError):
            self._known = {}

    def of(self, recipe: Recipe) -> int | None:
        """Returns `parameters`, from the file if neither the recipe nor its project's code has changed.

        Raises:
            Exception: as `parameters`.
        """
        project = project_of(type(recipe.model).__module__)
        said = json.dumps([VERSION, recipe.to_json(), code_digest(project) if project else ""], sort_keys=True)
        key = hashlib.sha256(said.encode()).hexdigest()
        if key not in self._known:
            self._known[key] = parameters(recipe)
            self._keep()
        return self._known[key]

    def _keep(self) -> None:
        """Writes the file; who cannot write one counts again the next time."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            passing = self._file.with_suffix(f".{os.getpid()}")
            passing.write_text(json.dumps(self._known))
            passing.replace(self._file)
        except OSError:
            return
