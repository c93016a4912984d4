"""emberline: Spark as a deep-learning pipeline."""
