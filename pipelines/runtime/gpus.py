"""The GPUs that Spark has given to a task are the ones its training process sees."""

from pyspark import TaskContext


def visible_gpus() -> dict[str, str]:
    """Returns, on an executor, the variable that shows a process the GPUs of this task, and hides all others."""
    context = TaskContext.get()
    given = context.resources().get("gpu") if context else None
    return {"CUDA_VISIBLE_DEVICES": ",".join(given.addresses) if given else ""}
