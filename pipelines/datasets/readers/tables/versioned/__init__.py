"""Tables with versions, read by their own libraries: Spark's catalogs and connectors, delta-rs, PyIceberg."""
