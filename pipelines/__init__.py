"""What happens, in which order: steps on the ground floor, what they are about in folders."""

if __name__ != "emberline.pipelines":  # a second name would load every module twice
    raise ImportError(f"This package is imported as emberline.pipelines, not as {__name__}.", name=__name__)
