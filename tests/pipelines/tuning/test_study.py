"""What is proposed after an interruption, and which trials are called hopeless."""

from pathlib import Path

from emberline.pipelines.artifacts.search_folder import Search, Trial
from emberline.pipelines.recipe import Between, OneOf
from emberline.pipelines.tuning.study import UNJUDGED_TRIALS, Study

SPACE = (Between("training.epochs", 1, 8), Between("rate", 1e-4, 1e-1, log=True), OneOf("kind", ("adam", "sgd")))


def search(folder: Path, *trials: Trial) -> Search:
    return Search(str(folder), {}, "run", list(trials))


def values(epochs: int, rate: float = 0.01, kind: str = "sgd") -> dict[str, str]:
    return {"training.epochs": str(epochs), "rate": repr(rate), "kind": kind}


def test_an_unfinished_trial_is_proposed_again(tmp_path: Path) -> None:
    ended = Trial(values(3), "a", state="complete", by_epoch=(0.5, 0.6), result=0.6)
    study = Study(search(tmp_path, ended, Trial(values(5), "b")), SPACE, smaller_is_better=False, parallel=1)
    assert study.propose().values == values(5)
    other = study.propose().values
    assert set(other) == set(values(1))
    assert 1 <= int(other["training.epochs"]) <= 8
    assert 1e-4 <= float(other["rate"]) <= 1e-1
    assert other["kind"] in ("adam", "sgd")


def test_a_trial_below_the_median_of_the_others_is_hopeless(tmp_path: Path) -> None:
    ended = [
        Trial(values(n), str(n), state="complete", by_epoch=(0.1 * n, 0.5), result=0.5)
        for n in range(1, UNJUDGED_TRIALS + 1)
    ]
    study = Study(search(tmp_path, *ended), SPACE, smaller_is_better=True, parallel=1)
    assert study.propose().is_hopeless(0.3, epoch=1), "the median is 0.25, and smaller is better"
    assert not study.propose().is_hopeless(0.2, epoch=1)
    few = Study(search(tmp_path, *ended[1:]), SPACE, smaller_is_better=True, parallel=1)
    assert not few.propose().is_hopeless(9.0, epoch=1), "too few to judge by"
