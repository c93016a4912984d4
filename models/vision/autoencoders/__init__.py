"""Networks that say in few numbers what an image is, and draw it again from them."""
