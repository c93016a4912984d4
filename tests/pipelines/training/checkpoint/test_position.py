"""Positions count steps by the number of workers that did them."""

from dataclasses import asdict

from emberline.pipelines.training.checkpoint.position import Best, Leg, Position


def test_steps_of_one_number_of_workers_are_one_leg() -> None:
    position = Position().after(3, workers=2).after(2, workers=2).after(4, workers=3)
    assert position == Position(step=9, epoch=0, legs=(Leg(2, 5), Leg(3, 4)))
    assert position.steps_into_epoch == 9
    assert position.next_epoch() == Position(step=9, epoch=1)


def test_the_json_form_is_read_back() -> None:
    position = Position(7, 1, (Leg(2, 3), Leg(1, 4)), Best(4, 0.5, 1))
    assert Position.from_json({"step": 3, "epoch": 1}) == Position(3, 1)
    assert Position.from_json(asdict(position)) == position


def test_the_best_epoch_is_remembered() -> None:
    position = Position()
    for step, value in ((1, 0.5), (2, 0.7), (3, 0.7), (4, float("nan"))):
        position = Position(step, step, best=position.best).judged(value, smaller_is_better=False)
    assert position.best == Best(2, 0.7, epochs_since=2)
    assert position.after(5, workers=2).next_epoch().best == position.best
    assert position.judged(0.1, smaller_is_better=True).best == Best(4, 0.1)
