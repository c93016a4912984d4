"""Evaluation in parts: scores of held-out rows, their slices, and the page that shows what was found."""
