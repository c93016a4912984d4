"""`keras.Model.fit` for several workers in step, which Keras 3 does not have."""

from collections.abc import Iterator, Sequence

import keras
import tensorflow as tf


def fit(
    model: keras.Model,
    x: tf.data.Dataset,
    *,
    steps_per_epoch: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Trains a compiled model under the strategy in whose scope it was built; see `Context.fit`."""
    strategy = model.distribute_strategy or tf.distribute.get_strategy()
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    batches = iter(strategy.experimental_distribute_dataset(x.with_options(options)))
    heard = keras.callbacks.CallbackList(
        list(callbacks), add_history=True, model=model, epochs=epochs, steps=steps_per_epoch
    )
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)

    def replica_step(data: object) -> tf.Tensor:
        features, label, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            predicted = model(features, training=True)
            loss = model.compute_loss(features, label, predicted, weight)  # divided by the replicas already
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        model.compute_metrics(features, label, predicted, weight)
        return loss

    @tf.function(reduce_retracing=True)
    def step(batches: Iterator[object]) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(replica_step, args=(next(batches),)), axis=None)

    heard.on_train_begin()
    for epoch in range(epochs):
        model.reset_metrics()
        heard.on_epoch_begin(epoch)
        total = 0.0
        for number in range(steps_per_epoch):
            heard.on_train_batch_begin(number)
            loss = float(step(batches))
            total += loss
            heard.on_train_batch_end(number, {"loss": loss})
        logs = {name: float(value) for name, value in model.get_metrics_result().items()}
        heard.on_epoch_end(epoch, logs | {"loss": total / steps_per_epoch})
        if model.stop_training:
            break
    heard.on_train_end()
    return model.history
