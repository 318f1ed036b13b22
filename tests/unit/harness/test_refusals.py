"""What the chaos rounds expect of a table that has refused something for a while."""

from __future__ import annotations

from tests.chaos.events import LONG, Made, Model, named


def made(kind: str, *keys: str) -> Made:
    return Made(b"", kind, "7", keys=tuple(enumerate(keys)))


def after(refused: list[int], *came: Made, before: tuple[Made, ...] = ()) -> dict[str, int]:
    """Key -> the event that its row is of; the events are numbered, and `refused` names those that were."""
    model = Model("postgresql")
    for n, each in enumerate(before):
        model.apply(each, 0, n)
    model.refuses = True
    for n, each in enumerate(came, 1):
        model.apply(each, n, 0)
    model.take_back({named(n, 0, 0) for n in refused})
    return {key: seq >> 20 for (_, key), seq in model.members.items()}


def test_a_row_falls_back_to_what_came_before_the_one_that_was_refused() -> None:
    assert after([2], made("add", "k"), made("add", "k")) == {"k": 1}
    assert after([2], made("remove", "k"), made("add", "k"), before=(made("add", "k"),)) == {}
    assert after([1, 2], made("add", "k"), made("add", "k"), before=(made("add", "k"),)) == {"k": 0}
    assert after([2], made("add", "k"), made("add", "k"), made("remove", "k")) == {}
    assert after([3], made("add", "k"), made("clear"), made("add", "k")) == {}


def test_what_was_not_refused_stays() -> None:
    assert after([], made("add", "k"), made("add", "k")) == {"k": 2}
    assert after([1], made("add", "k"), made("add", "k", "other", LONG[0])) == {"k": 2, "other": 2}
