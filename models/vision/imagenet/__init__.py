"""Networks for photographs, in the shapes of the ImageNet challenge: images to a logit per class."""
