"""The executors of a Spark application."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark import SparkContext


def registered_executors(context: "SparkContext") -> list[Any]:
    """Returns the executors that have registered by now, and the driver, whose id is `driver`, as `ExecutorSummary`.

    Args:
        context: Of a classic session; Spark Connect has none.
    """
    # PySpark has no public way to its status store: `sc.statusTracker()` knows jobs and stages only.
    found = context._jsc.sc().statusStore().executorList(True)
    return [found.apply(index) for index in range(found.size())]
