"""A custom TensorFlow program on executors: its assignment, its context, its process."""
