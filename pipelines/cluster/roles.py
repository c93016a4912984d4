"""Who does what in a training: rank 0 is the chief, then come the workers, then the parameter servers."""

import json
from collections.abc import Sequence
from typing import Literal

from emberline.pipelines.recipe import Training

Role = Literal["chief", "worker", "ps"]


def roles_of(training: Training) -> tuple[Role, ...]:
    """The role of each rank, in order.

    In `sync` mode the chief is one of the workers. In `async` mode it trains nothing itself: it hands out the work.
    """
    worker: Role = "worker"
    match training.mode:
        case "local":
            return ("chief",)
        case "sync":
            return ("chief", *[worker] * (training.workers - 1))
        case "async":
            servers: list[Role] = ["ps"] * training.parameter_servers
            return ("chief", *[worker] * training.workers, *servers)


def tf_config(roles: Sequence[Role], addresses: Sequence[str], rank: int) -> str:
    """What TensorFlow reads from the variable `TF_CONFIG`.

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


def described(training: Training) -> str:
    """The ranks in words: `1 chief + 2 workers + 1 parameter server`."""
    roles = roles_of(training)
    if training.mode == "sync":
        return "one per worker"
    names = {"chief": "chief", "worker": "worker", "ps": "parameter server"}
    counts = [(roles.count(role), name) for role, name in names.items() if role in roles]
    return " + ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts)
