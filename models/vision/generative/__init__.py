"""Networks that make images: generators, and the critics that they learn from."""
