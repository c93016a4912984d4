"""Random numbers of layers: drawn anew in every step and replica, and drawn again the same by a resumed training."""

import keras


def own_seed(generator: keras.random.SeedGenerator) -> keras.KerasTensor:
    """Returns the next seed of a generator, in each replica another one: their generators are in step."""
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    replica = tf.cast(context.replica_id_in_sync_group if context else 0, tf.int64)
    return tf.cast(generator.next(), tf.int64) + tf.stack([replica, tf.zeros_like(replica)])
