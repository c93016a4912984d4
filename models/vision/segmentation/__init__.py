"""Networks that say of every pixel whether it belongs to what is looked for."""
