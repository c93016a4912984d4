#!/usr/bin/env bash
# Keras 3.15.1: focal losses with `from_logits=True` stop at 16.118 times their weight, with a gradient of zero beyond:
# logits become probabilities, which are then clipped at 1e-7. A row that the network is wrong about by more than 16 is
# never learned from, and focal loss is chosen to learn most from such rows. `BinaryCrossentropy` has no
# such limit. Seen with JAX; with TensorFlow the binary one is right, since that backend finds the logits again, and the
# categorical one is not, so that the same training differs by backend.
#
# Seen, of a true row at logit -20, loss and gradient: binary focal 16.1 0.0, categorical focal 4.0 0.0, binary
#   cross-entropy 20.0 -1.0; by the definition the focal ones are 20.0 -1.0 and 5.0 -0.25
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 jaxlib==0.10.2
found=$(KERAS_BACKEND=jax JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import jax
import jax.numpy as jnp
import keras

shown = []
for name, loss, truth, logits in (
    ("binary focal", keras.losses.BinaryFocalCrossentropy(from_logits=True), [[1.0]], [[-20.0]]),
    ("categorical focal", keras.losses.CategoricalFocalCrossentropy(from_logits=True), [[1.0, 0.0]], [[-20.0, 0.0]]),
    ("binary cross-entropy", keras.losses.BinaryCrossentropy(from_logits=True), [[1.0]], [[-20.0]]),
):
    value, gradient = jax.value_and_grad(lambda given: loss(jnp.array(truth), given))(jnp.array(logits))
    shown.append(f"{name} {value:.1f} {abs(gradient[0, 0]):.1f}")
print(", ".join(shown))
PYTHON
)
echo "keras 3.15.1: loss and size of the gradient: $found"
[ "$found" = "binary focal 16.1 0.0, categorical focal 4.0 0.0, binary cross-entropy 20.0 1.0" ]
