"""What acts in an environment: small networks in NumPy, so that executors need no TensorFlow and start at once."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Policy(Protocol):
    """From what is seen to what is done; it travels to executors."""

    def __call__(self, observation: Array, generator: np.random.Generator) -> int: ...


@dataclass(frozen=True)
class Scores:
    """A number for each action: dense layers with tanh between them.

    Args:
        layers: Kernel and bias of each, in order.
    """

    layers: tuple[tuple[Array, Array], ...]

    @classmethod
    def of(cls, weights: Sequence[NDArray[np.floating]]) -> "Scores":
        """Makes scores from the weights of `emberline.models.control.dense`, kernel, bias, kernel, bias."""
        plain = [np.asarray(weight, np.float64) for weight in weights]
        return cls(tuple(zip(plain[0::2], plain[1::2], strict=True)))

    def __call__(self, observation: Array) -> Array:
        values = observation
        for index, (kernel, bias) in enumerate(self.layers):
            values = values @ kernel + bias
            if index < len(self.layers) - 1:
                values = np.tanh(values)
        return values


@dataclass(frozen=True)
class Sampled:
    """Draws an action by the softmax of the scores."""

    scores: Scores

    def __call__(self, observation: Array, generator: np.random.Generator) -> int:
        # The largest of scores with Gumbel noise is a draw from their softmax.
        scores = self.scores(observation)
        return int(np.argmax(scores - np.log(-np.log(generator.random(len(scores))))))


@dataclass(frozen=True)
class Greedy:
    """Takes the action of the highest score, except for a share of the steps that tries any.

    Args:
        scores: Of the actions.
        share: Of the steps.
    """

    scores: Scores
    share: float = 0.0

    def __call__(self, observation: Array, generator: np.random.Generator) -> int:
        scores = self.scores(observation)
        if self.share and generator.random() < self.share:
            return int(generator.integers(len(scores)))
        return int(np.argmax(scores))


def to_bytes(policy: Sampled | Greedy) -> bytes:
    """Returns a policy as an `.npz` file: `kernel_0`, `bias_0` and so on, and `share`, -1 for a sampled one."""
    share = policy.share if isinstance(policy, Greedy) else -1.0
    arrays: dict[str, NDArray[np.floating]] = {"share": np.array(share)}
    for number, (kernel, bias) in enumerate(policy.scores.layers):
        arrays |= {f"kernel_{number}": kernel, f"bias_{number}": bias}
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(data: bytes | bytearray) -> Sampled | Greedy:
    """Returns the reverse of `to_bytes`; a file with anything but numbers in it is refused by NumPy.

    Raises:
        ValueError: if it is no such file.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        layers = [(found[f"kernel_{number}"], found[f"bias_{number}"]) for number in range(len(found.files) // 2)]
        share = float(found["share"])
    scores = Scores(tuple(layers))
    return Greedy(scores, share) if share >= 0 else Sampled(scores)
