"""Optuna's half of a search: it proposes values, hears how trials do, and says which ones are hopeless."""

from collections.abc import Sequence
from typing import Any

import optuna

from emberline.pipelines.artifacts.search_folder import Search, Trial
from emberline.pipelines.recipe.search_space import Axis, Between

UNJUDGED_TRIALS = 4
"""So many trials run to their end before another is compared with their median."""

_STATES = {
    "complete": optuna.trial.TrialState.COMPLETE,
    "pruned": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}


class Proposal:
    """Values to try; made by `Study.propose`.

    Attributes:
        values: By field, as `--set` takes them.
    """

    def __init__(self, study: optuna.Study, trial: optuna.Trial) -> None:
        self._study = study
        self._trial = trial
        self.values = {field: _text(value) for field, value in trial.params.items()}

    def is_hopeless(self, value: float, epoch: int) -> bool:
        """Reports the metric after an epoch, and returns whether the others were better at this point.

        Args:
            value: Of the metric.
            epoch: Counted from 1.
        """
        self._trial.report(value, epoch)
        return self._trial.should_prune()

    def end(self, trial: Trial) -> None:
        """Reports how the trial ended."""
        self._study.tell(self._trial, trial.result, _STATES[trial.state])


class Study:
    """What is known of the trials that have ended, whoever ran them.

    Args:
        search: Those trials; unfinished ones are proposed first.
        space: What may change.
        smaller_is_better: Of the metric.
        parallel: Trials at a time.
    """

    def __init__(self, search: Search, space: Sequence[Axis], *, smaller_is_better: bool, parallel: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._distributions = {axis.field: _distribution(axis) for axis in space}
        self._study = optuna.create_study(
            direction="minimize" if smaller_is_better else "maximize",
            # Trials that run at the same time must not all be sent to the same place.
            sampler=optuna.samplers.TPESampler(seed=1 + search.finished, constant_liar=parallel > 1),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=UNJUDGED_TRIALS),
        )
        for trial in search.trials:
            params = {axis.field: _value(axis, trial.values[axis.field]) for axis in space}
            if trial.state == "running":
                self._study.enqueue_trial(params)
            else:
                self._study.add_trial(self._ended(trial, params))

    def propose(self) -> Proposal:
        """Returns the values of the next trial."""
        return Proposal(self._study, self._study.ask(self._distributions))

    def _ended(self, trial: Trial, params: dict[str, Any]) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            params=params,
            distributions=self._distributions,
            value=trial.result,
            state=_STATES[trial.state],
            intermediate_values={epoch + 1: value for epoch, value in enumerate(trial.by_epoch)},
        )


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    if not isinstance(axis, Between):
        return optuna.distributions.CategoricalDistribution(axis.ends)
    if isinstance(axis.low, int) and isinstance(axis.high, int):
        return optuna.distributions.IntDistribution(axis.low, axis.high, axis.log)
    return optuna.distributions.FloatDistribution(axis.low, axis.high, axis.log)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _value(axis: Axis, text: str) -> Any:
    """What Optuna calls a value that is written as `text`."""
    if not isinstance(axis, Between):
        return text
    return int(text) if isinstance(axis.low, int) and isinstance(axis.high, int) else float(text)
