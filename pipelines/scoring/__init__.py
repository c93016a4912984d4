"""Scoring in executors: rows are looked at, scored and sampled in one pass, and published as whole partitions."""
