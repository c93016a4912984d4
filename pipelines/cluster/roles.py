"""Who does what in a training: rank 0 is the chief, then come the workers, then the parameter servers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emberline.pipelines.recipe import Training

Role = Literal["chief", "worker", "ps"]


@dataclass(frozen=True)
class Gang:
    """The ranks of one training, made once by `of` and handed on.

    Args:
        training: What they do.
        roles: Of each rank, in order.

    Examples:
        >>> gang = Gang.of(Training((), epochs=1, global_batch=8, mode="async", workers=2, parameter_servers=1))
        >>> len(gang), str(gang)
        (4, '1 chief + 2 workers + 1 parameter server')
    """

    training: Training
    roles: tuple[Role, ...]

    @classmethod
    def of(cls, training: Training) -> "Gang":
        """Returns the ranks that a training asks for.

        In `sync` mode the chief is one of the workers. In `async` mode it trains nothing itself: it hands out the work.
        """
        worker: Role = "worker"
        match training.mode:
            case "local":
                return cls(training, ("chief",))
            case "sync":
                return cls(training, ("chief", *[worker] * (training.workers - 1)))
            case "async":
                servers: list[Role] = ["ps"] * training.parameter_servers
                return cls(training, ("chief", *[worker] * training.workers, *servers))

    def __len__(self) -> int:
        return len(self.roles)

    def __str__(self) -> str:
        if self.training.mode == "sync":
            return "one per worker"
        names = {"chief": "chief", "worker": "worker", "ps": "parameter server"}
        counts = [(self.roles.count(role), name) for role, name in names.items() if role in self.roles]
        return " + ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts)


def tf_config(roles: Sequence[Role], addresses: Sequence[str], rank: int) -> str:
    """Returns what TensorFlow reads from the variable `TF_CONFIG`.

    Args:
        roles: Of all ranks.
        addresses: `host:port` of all ranks.
        rank: Whose configuration this is.
    """
    cluster: dict[str, list[str]] = {}
    for role, address in zip(roles, addresses, strict=True):
        cluster.setdefault(role, []).append(address)
    task = {"type": roles[rank], "index": list(roles[:rank]).count(roles[rank])}
    return json.dumps({"cluster": cluster, "task": task})
