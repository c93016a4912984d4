"""Layers that Keras does not have."""

from typing import Any

import keras
from keras import ops

from emberline.models.seeds import own_seed


@keras.saving.register_keras_serializable("emberline")
class LocalResponseNormalization(keras.layers.Layer):
    """x / (bias + alpha * sum of x² over the channels no more than `radius` away) ^ beta.

    Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.3; the
    sum is not divided by the number of channels.

    Args:
        radius: Channels on either side.
        bias: Keeps the base above zero.
        alpha: Factor of the sum.
        beta: Exponent.
    """

    def __init__(
        self, radius: int = 4, bias: float = 1.0, alpha: float = 0.001 / 9, beta: float = 0.75, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.radius = radius
        self.bias = bias
        self.alpha = alpha
        self.beta = beta

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        import tensorflow as tf

        return tf.nn.local_response_normalization(inputs, self.radius, self.bias, self.alpha, self.beta)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"radius": self.radius, "bias": self.bias, "alpha": self.alpha, "beta": self.beta}
        return super().get_config() | own


@keras.saving.register_keras_serializable("emberline")
class RandomFourierFeatures(keras.layers.Layer):
    """sqrt(2 / n) cos(x W + b) of n random directions W ~ N(0, 1 / deviation²) and phases b ~ U(0, 2 pi), not trained.

    The dot product of two such vectors is about exp(-|x - y|² / (2 deviation²)): a linear model above them is about a
    machine with that kernel. Rahimi, Recht, "Random Features for Large-Scale Kernel Machines".

    Args:
        dimensions: n.
        deviation: Of the kernel.
    """

    def __init__(self, dimensions: int, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dimensions = dimensions
        self.deviation = deviation

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        directions = keras.initializers.RandomNormal(stddev=1 / self.deviation)
        phases = keras.initializers.RandomUniform(0.0, 2 * 3.141592653589793)
        width = input_shape[-1]
        self.directions = self.add_weight((width, self.dimensions), directions, trainable=False, name="directions")
        self.phases = self.add_weight((self.dimensions,), phases, trainable=False, name="phases")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        projected = ops.matmul(inputs, self.directions) + self.phases
        return (2 / self.dimensions) ** 0.5 * ops.cos(projected)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.dimensions)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"dimensions": self.dimensions, "deviation": self.deviation}


@keras.saving.register_keras_serializable("emberline")
class Sparse(keras.layers.Layer):
    """Passes values on, and adds weight * sum over units of KL(target || mean over the batch) + l1 * mean |value|
    to the loss.

    Ng, "Sparse autoencoder" (CS294A lecture notes), for values of 0 to 1. Not an activity regularizer, which Keras
    divides by the size of the batch.

    Args:
        target: Mean that units should have.
        weight: Of the divergence; 0 for none.
        l1: Of the mean size.
    """

    def __init__(self, target: float, weight: float, l1: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target
        self.weight = weight
        self.l1 = l1

    def call(self, values: keras.KerasTensor) -> keras.KerasTensor:
        if self.l1:
            self.add_loss(self.l1 * ops.mean(ops.abs(values)))
        if self.weight:
            mean = ops.clip(ops.mean(values, axis=0), 1e-6, 1 - 1e-6)
            there = self.target * ops.log(self.target / mean)
            absent = (1 - self.target) * ops.log((1 - self.target) / (1 - mean))
            self.add_loss(self.weight * ops.sum(there + absent))
        return values

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"target": self.target, "weight": self.weight, "l1": self.l1}


@keras.saving.register_keras_serializable("emberline")
class Noise(keras.layers.Layer):
    """Random numbers `[batch, width]`, as many rows as the input has.

    Drawn anew in training; otherwise always the same ones, so that pictures of two epochs can be compared.

    Args:
        width: Numbers of a row.
        uniform: Between -1 and 1, instead of normally distributed.
    """

    def __init__(self, width: int, uniform: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.uniform = uniform
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, rows: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        import tensorflow as tf

        shape, seed = (ops.shape(rows)[0], self.width), own_seed(self.seed_generator) if training else (1, 0)
        if self.uniform:
            drawn = tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
        else:
            drawn = tf.random.stateless_normal(shape, seed)
        return ops.cast(drawn, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.width)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"width": self.width, "uniform": self.uniform}


@keras.saving.register_keras_serializable("emberline")
class DrawnClass(keras.layers.Layer):
    """A class for every row of the input, int64 `[batch]`: drawn in training, otherwise one after the other.

    Args:
        classes: How many there are.
    """

    def __init__(self, classes: int, **kwargs: Any) -> None:
        super().__init__(dtype="int64", **kwargs)
        self.classes = classes
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, rows: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        import tensorflow as tf

        number = ops.shape(rows)[0]
        if not training:
            return ops.cast(ops.arange(number) % self.classes, "int64")
        seed = own_seed(self.seed_generator)
        return tf.random.stateless_uniform((number,), seed, 0, self.classes, dtype=tf.int64)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0],)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"classes": self.classes}


@keras.saving.register_keras_serializable("emberline")
class UnitLength(keras.layers.Layer):
    """Rows divided by their length."""

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        return ops.normalize(rows, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@keras.saving.register_keras_serializable("emberline")
class DepthToSpace(keras.layers.Layer):
    """Sub-pixel shuffling: `[batch, h, w, c * factor²]` to `[batch, h * factor, w * factor, c]`.

    Shi and others, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
    Network".

    Args:
        factor: By which height and width grow.
    """

    def __init__(self, factor: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        import tensorflow as tf

        return tf.nn.depth_to_space(inputs, self.factor)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        grown = [side * self.factor if side else None for side in (height, width)]
        return (batch, *grown, channels // self.factor**2 if channels else None)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"factor": self.factor}


@keras.saving.register_keras_serializable("emberline")
class Clipped(keras.constraints.Constraint):
    """Weights cut to at most `limit` in size after every step: the critic of a Wasserstein GAN.

    Args:
        limit: Largest size.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, weight: keras.KerasTensor) -> keras.KerasTensor:
        return ops.clip(weight, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {"limit": self.limit}
