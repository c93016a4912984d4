"""Sounds: bytes of a WAV file to samples, and samples to spectra."""
