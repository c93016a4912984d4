"""Networks that act."""
