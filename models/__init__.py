"""How an example is scored: one module per network, by family."""

if __name__ != "emberline.models":  # a second name would load every module twice
    raise ImportError(f"This package is imported as emberline.models, not as {__name__}.", name=__name__)
