"""A GAN on two workers: both have the same weights in the end, and the same averages of batch normalisation.

Its critic is a Wasserstein critic, which takes three steps for each of the generator's.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Label
from tests.two_ranks import run_two_ranks

pytestmark = pytest.mark.slow

RANK = """
import json, os, sys
import numpy as np
import tensorflow as tf
from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.models.vision.generative import dcgan
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.loop import Loop
where, output, rank = json.loads(sys.argv[1])
version = DatasetVersion(where["uri"], where["manifest"], where["features"])
optimizers = (Optimizer("adam", 0.001, "generator", every=3), Optimizer("rmsprop", 0.001, "discriminator"))
training = Training(optimizers, epochs=2, global_batch=16, workers=2, tensorboard=False)
recipe = Recipe("any", "nowhere", "none", dcgan.Config(Image("image", 16, 16, 1), (4, 8), 6, "wgan"), training)
events = []
wait_for_the_port()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
loop = Loop(recipe, version, output, strategy, rank, events.append)
loop.run()
values = {name: np.array(variable).tolist() for name, variable in loop.step.variables.items()}
metrics = [event["metrics"] for event in events if event["event"] == "epoch"]
print(json.dumps([metrics, values]), flush=True)
sys.stdin.read()  # a rank that left now would break the other's collectives
os._exit(0)
"""


def test_both_workers_end_with_the_same_variables(pictures: Callable[..., DatasetVersion], tmp_path: Path) -> None:
    label = Label("digit", tuple((str(number),) for number in range(10)), purpose="generation")
    version = pictures((Image("image", 16, 16, 1),), label)
    where = {"uri": version.uri, "manifest": version.manifest, "features": version.features}
    arguments = [json.dumps([where, str(tmp_path / "training"), rank]) for rank in range(2)]
    (first, one), (second, other) = run_two_ranks(RANK, arguments, tmp_path / "words")
    held_out = [{name: value for name, value in epoch.items() if "eval" in name} for epoch in first]
    assert held_out == [{name: value for name, value in epoch.items() if "eval" in name} for epoch in second]
    moving = [name for name in one if "moving" in name]
    assert len(moving) == 6
    for name in one:
        if "seed_generator" not in name:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    assert any(np.ptp(np.ravel(one[name])) for name in moving)
    assert [one[f"optimizer-{index}/{name}/iteration"] for index, name in enumerate(("adam", "rmsprop"))] == [2, 6]
    assert all(
        np.abs(one[name]).max() <= np.float32(0.01) for name in one if name.startswith("model/discriminator_1_conv")
    )
