"""Networks that tell digits apart: images of 28 x 28 grey pixels to a logit per class."""
