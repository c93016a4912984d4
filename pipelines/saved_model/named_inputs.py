"""The inputs of a SavedModel's signatures under their users' names; TensorFlow takes only names of Python arguments."""

from collections.abc import Iterable, Mapping
from typing import Any

from emberline.features.names import safe_names, user_name


def input_spec(signature: Any) -> dict[str, Any]:
    """Returns the type and shape of every input, by the name that its user gave to the column."""
    return {user_name(name): spec for name, spec in signature.structured_input_signature[1].items()}


def arguments(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Returns tensors with their users' names, all that a signature takes, under its own names."""
    names = safe_names(tensors)
    return {names[name]: tensor for name, tensor in tensors.items()}


def renamed_inputs(names: Iterable[str]) -> dict[str, str]:
    """Returns, by the user's name, what a signature calls those inputs that cannot have it; for `features.json`."""
    return {name: safe for name, safe in safe_names(names).items() if safe != name}
