"""One message for each change of state, on each channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from redis import RedisError

from workers.monitoring.alarms import CALM_LOOKS, UNREACHABLE, Memory, Message, NotSent, Watch, Watcher
from workers.monitoring.need import STALE_SECONDS

BEGAN = datetime(2026, 11, 21, 18, tzinfo=UTC)


class Notebook:
    """A channel that writes down what it is told, and may be broken."""

    def __init__(self, name: str = "notebook") -> None:
        self.name = name
        self.told: list[str] = []
        self.is_broken = False

    def send(self, message: Message) -> None:
        if self.is_broken:
            raise NotSent("it is broken")
        self.told.append(f"{message.topic} {message.state}: {message.sentence}")


def looking(watch: Watch, *looks: dict[str, str]) -> None:
    for n, found in enumerate(looks):
        watch.look(found, BEGAN + timedelta(seconds=15 * n))


def test_what_lasts_is_told_once_and_its_end_once() -> None:
    book = Notebook()
    looking(Watch("n", [book]), {"beat": "for 20 s"}, {"beat": "for 35 s"}, {}, {}, {}, {})
    assert book.told == ["beat begun: for 20 s", "beat over: for 35 s"]


def test_what_comes_and_goes_is_one_message() -> None:
    book = Notebook()
    looking(Watch("n", [book]), {"beat": "x"}, {}, {"beat": "x"}, {}, {"beat": "x"})
    assert book.told == ["beat begun: x"]
    assert CALM_LOOKS == 2


def test_another_state_of_an_integration_is_one_message() -> None:
    book = Notebook()
    looking(Watch("n", [book]), {"crm retrying": "a"}, {"crm held": "b"}, {"crm held": "b"}, {}, {})
    assert book.told == ["crm retrying begun: a", "crm held begun: b", "crm held over: b"]


def test_a_broken_channel_is_told_later_and_the_others_once() -> None:
    good, bad = Notebook("good"), Notebook("bad")
    bad.is_broken = True
    watch = Watch("n", [bad, good])
    assert watch.look({"beat": "x"}, BEGAN) == ["bad: it is broken"]
    watch.look({"beat": "x"}, BEGAN)
    bad.is_broken = False
    watch.look({"beat": "x"}, BEGAN)
    assert (good.told, bad.told) == (["beat begun: x"], ["beat begun: x"])


def test_what_is_over_before_a_channel_could_be_told_is_forgotten() -> None:
    bad = Notebook()
    bad.is_broken = True
    watch = Watch("n", [bad])
    looking(watch, {"beat": "x"}, {}, {}, {})
    assert watch.alarms == {}
    bad.is_broken = False
    looking(watch, {}, {})
    assert bad.told == []


def test_a_channel_that_is_new_is_told_what_is_going_on() -> None:
    first, second = Notebook("first"), Notebook("second")
    watch = Watch("n", [first])
    looking(watch, {"beat": "x"})
    again = Watch("n", [first, second], watch.alarms)
    looking(again, {"beat": "x"})
    assert (first.told, second.told) == (["beat begun: x"], ["beat begun: x"])


class Forgetful:
    """A memory that is always ours and keeps nothing."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def is_ours(self) -> bool:
        return True

    def load(self) -> object:
        return self.watch.alarms

    def save(self, _: object) -> None: ...


def test_after_an_outage_nobody_is_told_dead_who_had_no_time_to_look() -> None:
    book, now, answers = Notebook(), 0.0, [RedisError("gone"), RedisError("gone"), {"beat": "old"}, {}, {"beat": "new"}]

    def found() -> dict[str, str]:
        answer = answers.pop(0)
        if isinstance(answer, RedisError):
            raise answer
        return cast("dict[str, str]", answer)

    watch = Watch("n", [book])
    watcher = Watcher(watch, cast("Memory", Forgetful(watch)), found, lambda: now)
    for _ in range(4):
        assert list(watcher.turn()) == []
    told = [f"{UNREACHABLE} {state}: Redis is out of reach: gone" for state in ("begun", "over")]
    assert book.told == told
    now = STALE_SECONDS
    assert list(watcher.turn()) == []
    assert book.told == [*told, "beat begun: new"]
