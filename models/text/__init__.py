"""Networks over texts: sequences of words."""
