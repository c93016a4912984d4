"""Several losses in one step: each optimizer moves its own variables by its own loss, and by no other."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Image, describe
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.vision.autoencoders import dense, stacked
from emberline.models.vision.digits import mlp
from emberline.models.vision.generative import dcgan
from emberline.models.vision.layers import Noise
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.tasks.task import LOSS
from emberline.pipelines.training.checkpoint.initial_weights import take_weights
from emberline.pipelines.training.step.training_step import TrainingStep

IMAGE = Image("image", 8, 8, 1)
RATE = 0.5
GAN = dcgan.Config(IMAGE, (4, 8), 6)
BOTH = (Optimizer("sgd", RATE, "generator"), Optimizer("sgd", RATE, "discriminator"))
ROWS = {"image": np.random.default_rng(1).integers(0, 255, (12, 8, 8, 1)).astype(np.uint8)}
LABEL = np.zeros(12, np.float32)


def version(purpose: str = "generation") -> DatasetVersion:
    label = Label("digit", (("0",), ("1",)), purpose=purpose)  # type: ignore[arg-type]
    schema = Schema((Field("image", "image"),), label, "row")
    features = {
        "schema": schema.to_json(),
        "columns": [describe(IMAGE)],
        "cardinalities": {},
        "statistics": Statistics(12, (12, 0)).to_json(),
    }
    return DatasetVersion("nowhere", {"splits": {}}, features)


def step_of(optimizers: tuple[Optimizer, ...] = BOTH, model: object = GAN, purpose: str = "generation") -> TrainingStep:
    training = Training(optimizers, epochs=1, global_batch=12, workers=1)
    return TrainingStep(Recipe("any", "nowhere", "none", model, training), version(purpose), 10)  # type: ignore[arg-type]


def test_each_part_of_a_gan_makes_its_own_loss_smaller() -> None:
    step = step_of()
    keras.utils.set_random_seed(3)
    paths = [variable.path for variable in step.model.trainable_variables]
    before = [weight.numpy() for weight in step.weights]
    noise = step.model.get_layer("noise").seed_generator.state
    drawn = noise.numpy()
    averages = [variable.numpy() for variable in step.model.non_trainable_variables]
    tf.function(step.replica_step)(ROWS, LABEL)
    moved = [old - new.numpy() for old, new in zip(before, step.weights, strict=True)]
    for weight, old in zip(step.weights, before, strict=True):
        weight.assign(old)
    for variable, old in zip(step.model.non_trainable_variables, averages, strict=True):
        variable.assign(old)
    noise.assign(drawn)
    with tf.GradientTape(persistent=True) as tape:
        outputs = step.model(ROWS, training=True)
        losses = {part: tf.reduce_mean(outputs[LOSS + part]) for part in ("generator", "discriminator")}
    for index, (path, change) in enumerate(zip(paths, moved, strict=True)):
        gradient = tape.gradient(losses[path.split("_")[0]], step.weights[index])
        np.testing.assert_allclose(change, RATE * gradient.numpy(), rtol=1e-3, atol=1e-6, err_msg=path)
    assert {path.split("_")[0] for path in paths} == {"generator", "discriminator"}


def test_a_critic_takes_steps_of_its_own() -> None:
    """The generator moves in steps 3 and 6 alone, by its gradient there; averages go on behind it at every step."""
    every, decay = 3, 0.5
    both = (Optimizer("adam", 0.01, "generator", every=every), Optimizer("sgd", RATE, "discriminator"))
    training = Training(both, epochs=1, global_batch=12, workers=1, average_decay=decay)
    step = TrainingStep(Recipe("any", "nowhere", "none", GAN, training), version(), 10)
    plain = keras.optimizers.Adam(0.01)
    paths = [variable.path for variable in step.model.trainable_variables]
    generators = [index for index, path in enumerate(paths) if path.startswith("generator")]
    expected = [tf.Variable(step.weights[index]) for index in generators]
    plain.build([keras.Variable(one) for one in expected])
    mine = plain._trainable_variables
    averages = [weight.numpy() for weight in step.weights]

    @tf.function
    def steps(count: tf.Tensor) -> None:
        for _ in tf.range(count):
            step.replica_step(ROWS, LABEL)

    run = tf.function(step.checked_step)
    for number in range(1, 8):
        before = [weight.numpy() for weight in step.weights]
        gradients = run(ROWS, LABEL)[1]
        if number % every == 0:
            plain.apply([gradients[index] for index in generators], mine)
        for index, (path, old, weight) in enumerate(zip(paths, before, step.weights, strict=True)):
            moves = path.startswith("discriminator") or number % every == 0
            assert np.array_equal(old, weight.numpy()) != moves, (number, path)
            assert bool(np.any(gradients[index])) == moves, (number, path)
            share = 1 - min(decay, (1 + number) / (10 + number))
            averages[index] -= share * (averages[index] - weight.numpy())
    for wanted, index in zip(mine, generators, strict=True):
        np.testing.assert_allclose(step.weights[index].numpy(), wanted.numpy(), rtol=1e-5, atol=1e-7)
    with step.averaged():
        for wanted, weight in zip(averages, step.weights, strict=True):
            np.testing.assert_allclose(weight.numpy(), wanted, rtol=1e-4, atol=1e-7)
    assert [int(optimizer.iterations) for optimizer in step.optimizers] == [2, 7]
    kept = [step.weights[index].numpy() for index in generators]
    steps(tf.constant(1))  # the eighth
    assert all(np.array_equal(old, step.weights[index]) for old, index in zip(kept, generators, strict=True))
    steps(tf.constant(3))  # the ninth is among them
    assert [int(optimizer.iterations) for optimizer in step.optimizers] == [3, 11]


def test_a_wasserstein_critic_is_bounded() -> None:
    """After its first step, whatever its gradients: all that it is made of lies in the paper's box."""
    step = step_of(model=dataclasses.replace(GAN, loss="wgan"))
    tf.function(step.replica_step)(ROWS, LABEL)
    sizes = {variable.path: float(np.abs(variable.numpy()).max()) for variable in step.model.trainable_variables}
    assert max(size for path, size in sizes.items() if path.startswith("discriminator")) == pytest.approx(0.01)
    assert max(size for path, size in sizes.items() if path.startswith("generator")) > 0.5


def test_in_mode_async_no_step_is_the_third() -> None:
    with pytest.raises(BadInputError, match="side by side"):
        Training((Optimizer("sgd", RATE, every=3),), epochs=1, global_batch=12, mode="async")
    with pytest.raises(BadInputError, match="every must be at least 1, got 0"):
        Optimizer("sgd", RATE, every=0)


def test_replicas_draw_noise_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their generators are in step: the same state gives each replica another noise, and the same one again."""
    noise, drawn = Noise(4), []
    for replica in (0, 1, 0):
        context = SimpleNamespace(replica_id_in_sync_group=replica)
        monkeypatch.setattr(tf.distribute, "get_replica_context", lambda context=context: context)
        noise.seed_generator.state.assign([7, 0])
        drawn.append(noise(np.zeros((3, 1)), training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.isclose(drawn[0], drawn[1]).any()
    still = [noise(np.zeros((3, 1))).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*still)


def test_a_layer_of_a_stack_learns_nothing_from_those_above_it() -> None:
    model = stacked.Config(IMAGE, (6, 5), "sigmoid", noise=0.0)
    first, second = Optimizer("sgd", RATE, "hidden_0"), Optimizer("sgd", 0.0, "hidden_1")
    both = step_of((first, dataclasses.replace(second, learning_rate=RATE)), model, "reconstruction")
    alone = step_of((first, second), model, "reconstruction")
    for step in (both, alone):
        step.replica_step(ROWS, LABEL)
    for one, other, variable in zip(both.weights, alone.weights, both.model.trainable_variables, strict=True):
        same = np.array_equal(one.numpy(), other.numpy())
        assert same == variable.path.startswith("hidden_0"), variable.path


def test_optimizers_that_do_not_fit_the_losses_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"scopes 'generator', 'discriminator', and .* are ''"):
        step_of((Optimizer("sgd", RATE),)).replica_step(ROWS, LABEL)


def test_layers_add_their_own_losses() -> None:
    """The sparse autoencoder's divergence, computed by hand, is what a step reports more than the squared error."""
    weight, target = 0.3, 0.15
    plain = step_of((Optimizer("sgd", 0.0),), dense.Config(IMAGE, (6,)), "reconstruction")
    sparse = step_of(
        (Optimizer("sgd", 0.0),), dense.Config(IMAGE, (6,), sparsity=target, sparsity_weight=weight), "reconstruction"
    )
    code = keras.Model(plain.model.input, plain.model.get_layer("encoder_0").output)(ROWS).numpy().mean(axis=0)
    divergence = np.sum(target * np.log(target / code) + (1 - target) * np.log((1 - target) / (1 - code)))
    difference = float(sparse.replica_step(ROWS, LABEL)) - float(plain.replica_step(ROWS, LABEL))
    assert difference == pytest.approx(weight * divergence, rel=1e-4)


def test_a_training_starts_from_the_weights_of_another(tmp_path: Path) -> None:
    """A stack's first layer becomes that of a classifier; layers of other names or shapes keep what they have."""
    source = step_of(
        (Optimizer("sgd", RATE, "hidden_0"), Optimizer("sgd", RATE, "hidden_1")),
        stacked.Config(IMAGE, (6, 5)),
        "reconstruction",
    )
    exported = tf.Module()
    exported.weights = {name.removeprefix("model/"): value for name, value in source.variables.items()}
    tf.saved_model.save(exported, str(tmp_path))
    fresh = step_of((Optimizer("sgd", RATE),), mlp.Config(IMAGE, (6, 7), outputs=1), "")
    before = {name: value.numpy() for name, value in fresh.variables.items()}
    with pytest.raises(BadInputError, match="hidden_1/kernel is"):
        take_weights(str(tmp_path / "variables"), fresh.variables)
    take_weights(str(tmp_path / "variables"), fresh.variables, transfer=True)
    for name, value in fresh.variables.items():
        expected = source.variables[name] if name.startswith("model/hidden_0") else before[name]
        np.testing.assert_array_equal(value.numpy(), np.asarray(expected), err_msg=name)
