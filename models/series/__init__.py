"""Networks that go on where a series of numbers ends."""
