"""What the data is: columns, schema, statistics, the transform graph, TFRecord files."""

if __name__ != "emberline.features":  # a second name would load every module twice
    raise ImportError(f"This package is imported as emberline.features, not as {__name__}.", name=__name__)
