"""A registered model outside Spark: TensorFlow Serving's folder, and TensorFlow Lite for small devices."""
