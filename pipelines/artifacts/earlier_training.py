"""The training that a new one replaces: it waits beside it until the new one has its first checkpoint."""

from collections.abc import Iterator
from contextlib import contextmanager

from emberline.features import publishing, storage
from emberline.pipelines.artifacts.training_folder import is_resumable
from emberline.pipelines.runtime.output_folder import TRAINING, claimed, require_replaceable


class EarlierTraining:
    """What was at a training's output before.

    Args:
        output: URI of the training's folder.
    """

    def __init__(self, output: str) -> None:
        self._output = output.rstrip("/")
        parent, _, name = self._output.rpartition("/")
        self._name = f".{name}.earlier"
        self._place = storage.join(parent, self._name)

    def set_aside(self) -> None:
        """Makes room for another training.

        Raises:
            BadInputError: if what is there is no training.
        """
        require_replaceable(self._output, TRAINING, overwrite=True)
        if storage.exists(self._output):
            publishing.set_aside(self._output, self._name)

    def forget_if_replaced(self) -> None:
        """Removes it as soon as the new training could go on by itself."""
        if storage.exists(self._place) and _has_checkpoint(self._output):
            storage.delete(self._place)

    def put_back(self) -> None:
        """Undoes `set_aside`, unless the new training has a checkpoint."""
        self.forget_if_replaced()
        if storage.exists(self._place):
            storage.delete(self._output)
            publishing.set_aside(self._place, self._output.rpartition("/")[2])


@contextmanager
def earlier_training(output: str, identity: dict[str, object]) -> Iterator[EarlierTraining]:
    """Claims a training's output for the block; if that fails before its first checkpoint, what was there is back.

    Args:
        output: URI of the training's folder.
        identity: What is trained, as of `unfinished_run`.

    Raises:
        OutputBusyError: if another process trains there.
    """
    with claimed(output):
        earlier = EarlierTraining(output)
        if not is_resumable(output, identity):
            earlier.put_back()  # of a process that was killed before its first checkpoint
        try:
            yield earlier
        except BaseException:
            earlier.put_back()
            raise
        earlier.forget_if_replaced()


def _has_checkpoint(output: str) -> bool:
    files = storage.list_files(storage.join(output, "checkpoints"), recursive=True)
    return any(file.uri.endswith("/position.json") for file in files)
