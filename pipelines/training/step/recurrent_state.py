"""The state of a network that reads rows in parts, a step each: kept from one part to the next (`training.unroll`)."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.features.names import user_name
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tasks.task import Outputs
from emberline.pipelines.training.input.batches import BEGINS


class CarriedState:
    """The network with its state going in and coming out, and variables that keep it from step to step.

    Args:
        recipe: What is trained; made inside the scope of its strategy.
        model: Its network.

    Raises:
        BadInputError: if the network has no state, or a step's rows would be cut among several GPUs.

    Attributes:
        network: Says its state after a part besides what it says of it.
        variables: The state before the next part, by name.
    """

    def __init__(self, recipe: Recipe, model: keras.Model) -> None:
        training, module = recipe.training, recipe.model_module
        if not hasattr(module, "carried"):
            raise BadInputError(
                f"training.unroll={training.unroll}: the network {module.__name__} carries no state from one "
                "part of a row to the next. Set training.unroll=0."
            )
        replicas = tf.distribute.get_strategy().num_replicas_in_sync // training.workers
        if replicas > 1:
            raise BadInputError(
                f"training.unroll={training.unroll}: the rows of a step are cut among {replicas} GPUs of a "
                "worker, in another way each time. Give each worker one GPU (training.gpus_per_worker=1), or set "
                "training.unroll=0."
            )
        self.network: keras.Model = module.carried(recipe.model, model)
        rows = training.global_batch // training.workers
        # Each replica has its own: the rows that it reads.
        own = {
            "synchronization": tf.VariableSynchronization.ON_READ,
            "trainable": False,
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        self.variables: dict[str, tf.Variable] = {
            item.name: tf.Variable(tf.zeros([rows, *item.shape[1:]]), name=item.name, **own)
            for item in self.network.inputs
            if user_name(item.name) not in model.input
        }

    def __call__(self, features: Mapping[str, tf.Tensor]) -> Outputs:
        """What the network says in training of the next part of each row; where a row begins, its state is zero."""
        begins = features[BEGINS]
        window = {name: value for name, value in features.items() if name != BEGINS}
        state = {
            name: tf.where(begins[:, tf.newaxis], 0.0, tf.convert_to_tensor(value))
            for name, value in self.variables.items()
        }
        outputs: Outputs = self.network(window | state, training=True)
        for name, variable in self.variables.items():
            variable.assign(outputs[name])
        return outputs
