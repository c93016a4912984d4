"""The previous champion, back in its place."""

from dataclasses import dataclass

from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tracking import Tracker


@dataclass(frozen=True)
class RollbackResult:
    """What became of the alias `champion`.

    Args:
        name: Registered model.
        champion: Version that has it now.
        instead_of: Version that had it before.
    """

    name: str
    champion: int
    instead_of: int


def rollback(name: str, tracker: Tracker) -> RollbackResult:
    """Gives the alias `champion` back to the version that had it before the present one.

    Args:
        name: Registered model.
        tracker: The registry.

    Raises:
        BadInputError: if there is no such model, or no version was champion before.
    """
    before, now = tracker.roll_back(name)
    Progress("rollback").say(f"{name}: version {now} is champion again, instead of version {before}")
    return RollbackResult(name, now, before)
