"""A lock with a fencing number: of all processes that want to change the champion of a model, one at a time.

MLflow has no lock and no compare-and-set: the alias goes to whoever writes last. But it makes a name once (see
`Store._claim`). A turn is a number that only one process can claim; its holder reads, decides and writes, and says
that the turn is over. A holder that died is passed over after a while, and one that slept that long finds, before it
writes, that a later turn was claimed, and gives up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from emberline.pipelines.tracking.store import Store, TrackingError

OVER = "emberline.turn"
"""Tag of a registered model: the last turn that is over."""

TURN_SECONDS = 60
"""How long a turn may take before others pass it over; its few requests take less than one."""


class PromotionLock(Store):
    """A store whose models can be held by one process at a time."""

    @contextmanager
    def hold(self, model: str) -> Iterator[int]:
        """Waits for a turn at a registered model, and holds it for the block.

        Args:
            model: Name of a registered model that exists.

        Yields:
            Number of the turn, for `require_held`.

        Raises:
            TrackingError: if the store does not answer.
        """
        number = self._over(model) + 1
        while not self._claim(_name(model, number)):
            number = self._wait(model, number)
        try:
            yield number
        finally:
            if self._over(model) < number:
                self.client.set_registered_model_tag(model, OVER, str(number))

    def require_held(self, model: str, number: int) -> None:
        """Checks that the turn is still held; called before each write of a turn.

        Raises:
            TrackingError: if the turn has taken so long that others have passed it over.
        """
        try:
            later = self.client.get_experiment_by_name(f"emberline/claims/{_name(model, number + 1)}")
        except MlflowException as error:
            raise TrackingError(f"MLflow at {self.uri} does not answer: {error}") from error
        if later:
            raise TrackingError(
                f"This turn at {model!r} took longer than {TURN_SECONDS} s, and another process has passed it over. "
                "Nothing was changed; run it again."
            )

    def _wait(self, model: str, number: int) -> int:
        """The number to try next, once the turn `number` of somebody else is over or has taken too long."""
        deadline = time.monotonic() + TURN_SECONDS
        while time.monotonic() < deadline:
            if (over := self._over(model)) >= number:
                return over + 1
            time.sleep(0.2)
        return number + 1

    def _over(self, model: str) -> int:
        return int(self.client.get_registered_model(model).tags.get(OVER, "0"))


def _name(model: str, number: int) -> str:
    return f"champion/{model}/{number}"
