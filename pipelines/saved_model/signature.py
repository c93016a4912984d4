"""A SavedModel's signature as a function, with batch normalisation folded into the convolutions in front of it.

TensorFlow folds constants alone, and what a SavedModel brings are variables. So where folding pays, they are made
constants, and the variables are let go.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from emberline.features.names import safe_names
from emberline.pipelines.saved_model.named_inputs import arguments, input_spec

CONVOLUTIONS = {"Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2dNative"}
NORMALISED = {"Rsqrt", "FusedBatchNormV3"}
"""Operations of batch normalisation."""

MOST_BYTES = 32 << 20
"""Weights that are folded at most: while a graph is made and optimised, TensorFlow holds its constants ten times, and
three times afterwards."""

Tensors = Mapping[str, tf.Tensor]


class Signature(NamedTuple):
    """One of a model's functions.

    Args:
        name: Its name in the SavedModel.
        spec: What it takes, by the names that users gave to columns.
        call: From these to the outputs by name. It keeps alive what it needs of the model.
    """

    name: str
    spec: Mapping[str, tf.TensorSpec]
    call: Callable[[Tensors], Tensors]


def open_signature(folder: str, names: Sequence[str]) -> Signature:
    """Loads a SavedModel for one of its signatures.

    Args:
        folder: A local folder.
        names: The first of these that the model has.
    """
    model = tf.saved_model.load(folder)
    name = next(name for name in names if name in model.signatures)
    signature = model.signatures[name]
    spec = input_spec(signature)
    if _pays(signature):
        return Signature(name, spec, _folded(signature, spec))

    def call(tensors: Tensors) -> Tensors:
        return model.signatures[name](**arguments(tensors))  # type: ignore[no-any-return]  # a signature alone lets its variables go

    return Signature(name, spec, call)


def _pays(signature: Any) -> bool:
    """Whether there is anything to fold, in a graph of weights alone: tables have to stay where they are."""
    kinds = {node.op for node in _nodes(signature.graph.as_graph_def())}
    weights = {id(variable.handle) for variable in signature.variables}
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in signature.variables)
    return (
        bool(kinds & CONVOLUTIONS and kinds & NORMALISED)
        and all(id(given) in weights for given in signature.captured_inputs if given.dtype == tf.resource)
        and size <= MOST_BYTES
    )


def _nodes(graph: Any) -> Iterator[Any]:
    """Of the graph, and of all functions in it."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _folded(signature: Any, spec: Mapping[str, tf.TensorSpec]) -> Callable[[Tensors], Tensors]:
    """The same with constants, in one graph: every graph around it would hold them again."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    constant = convert_variables_to_constants_v2(signature, lower_control_flow=False)
    names = safe_names(spec)
    placeholders = {
        tensor.name: name for name, tensor in zip(sorted(spec, key=names.__getitem__), signature.inputs, strict=False)
    }
    answers, fed = sorted(signature.structured_outputs), [tensor.name for tensor in constant.inputs]
    given_names, asked = [placeholders[name] for name in fed], [tensor.name for tensor in constant.outputs]
    graph = constant.graph.as_graph_def()

    def imported(*tensors: tf.Tensor) -> list[tf.Tensor]:
        given = dict(zip(fed, tensors, strict=True))
        return tf.graph_util.import_graph_def(graph, given, asked, name="")  # type: ignore[no-any-return]

    function = tf.compat.v1.wrap_function(imported, [spec[name] for name in given_names])

    def call(tensors: Tensors) -> Tensors:
        return dict(zip(answers, function(*(tensors[name] for name in given_names)), strict=True))

    return call
