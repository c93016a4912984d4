"""How a step is started: the entry points of spark-submit and of the command line."""

if __name__ != "emberline.jobs":  # a second name would load every module twice
    raise ImportError(f"This package is imported as emberline.jobs, not as {__name__}.", name=__name__)
