"""Rows from a Spark job straight into the ranks, as Arrow batches, while they train.

    DataFrame ── mapInArrow ──> feeder tasks ── TCP, one frame = one Arrow record batch ──> inbox of each rank ──> steps

Feeders (`feeder`) run in task slots beside the ranks and transform checked raw rows as the ETL does. They push: each
sends its next batch to any rank that has room, so that uneven partitions even out. Ranks (`inbox`, `fed_batches`)
grant room as they train, which is all the back-pressure there is. Before each group of steps the ranks agree how many
all of them can do, so that no rank waits in a collective for one without rows. The driver (`feed`) starts one Spark job
per epoch and tells the ranks when all its rows have been sent. Nothing received over the wire is ever unpickled.
"""
