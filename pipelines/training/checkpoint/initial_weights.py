"""The weights of an exported model, read from its SavedModel without loading its graphs, and given to a new network."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

from emberline.features import storage
from emberline.features.errors import BadInputError

MODEL, AVERAGE = "model/", "average/"
"""How the names of a network's variables, and of the averages of its weights, begin in `TrainingStep.variables`."""

RANDOM = "seed_generator_state"
"""Beginning of the names of random generators' states, which are no weights."""


def take_weights(folder: str, variables: Mapping[str, tf.Variable], *, transfer: bool = False) -> None:
    """Assigns the weights of an older model, and their values to the averages too.

    Args:
        folder: URI of the `variables` of a SavedModel that `export` wrote.
        variables: Of a `TrainingStep`, by name.
        transfer: Take those that fit, and leave the others as they are.

    Raises:
        BadInputError: if they are not those of this network, naming all that do not fit; if none is, with `transfer`.
    """
    saved = read_weights(folder)
    wanted = {
        name.removeprefix(MODEL): variable
        for name, variable in variables.items()
        if name.startswith(MODEL) and not name.startswith(MODEL + RANDOM)
    }
    have = {name: list(value.shape) for name, value in saved.items()}
    need = {name: variable.shape.as_list() for name, variable in wanted.items()}
    faults = [
        f"{name} is {have.get(name, 'not there')} in the model and {need.get(name, 'not there')} in the network"
        for name in sorted(have.keys() | need.keys())
        if have.get(name) != need.get(name)
    ]
    if transfer:
        wanted = {name: variable for name, variable in wanted.items() if have.get(name) == need[name]}
    if not wanted or (faults and not transfer):
        raise BadInputError(
            f"The weights of --warm-start do not fit the network: {'; '.join(faults)}. Train the network that the "
            "model was exported from, or start without --warm-start."
        )
    for name, variable in wanted.items():
        variable.assign(saved[name])
        if AVERAGE + name in variables:
            variables[AVERAGE + name].assign(saved[name])


def read_weights(folder: str) -> dict[str, npt.NDArray[Any]]:
    """Returns the weights of an exported model by name.

    Args:
        folder: URI of the `variables` of its SavedModel.

    Raises:
        BadInputError: if the model does not say what its variables are called.
    """
    with tempfile.TemporaryDirectory() as scratch:
        storage.copy_folder(folder, scratch)
        reader = tf.train.load_checkpoint(str(Path(scratch) / "variables"))
        graph = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        root = {child.local_name: child.node_id for child in graph.nodes[0].children}
        if "weights" not in root:
            raise BadInputError(
                "The model of --warm-start was exported by an older version of emberline, which did not note the names "
                "of its weights. Train it once without --warm-start."
            )
        return {
            child.local_name: np.asarray(reader.get_tensor(graph.nodes[child.node_id].attributes[0].checkpoint_key))
            for child in graph.nodes[root["weights"]].children
            if not child.local_name.startswith(RANDOM)
        }
