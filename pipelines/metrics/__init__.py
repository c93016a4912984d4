"""Metrics over scored rows, counted in Spark: what reaches the driver is bounded, whatever the number of rows.

One module per kind of prediction. `ranking` does for all of them what needs rows in the order of their scores. Rows
that belong to slices carry the numbers of their groups, see `measured`.
"""
