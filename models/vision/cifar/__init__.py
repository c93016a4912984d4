"""Networks for small colour photographs: images of 32 x 32 pixels to a logit per class."""
