"""Positions count steps by the number of workers that did them."""

from dataclasses import asdict

from pipelines.training.position import Leg, Position


def test_steps_of_one_number_of_workers_are_one_leg() -> None:
    position = Position().after(3, workers=2).after(2, workers=2).after(4, workers=3)
    assert position == Position(step=9, epoch=0, legs=(Leg(2, 5), Leg(3, 4)))
    assert position.steps_into_epoch == 9
    assert position.next_epoch() == Position(step=9, epoch=1)


def test_the_json_form_is_read_back() -> None:
    position = Position(7, 1, (Leg(2, 3), Leg(1, 4)))
    assert Position.from_json(asdict(position)) == position
