"""What a platform refuses by name becomes entries of the quarantine: told once, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.connectors.audiences.accounts import Account, on
from workers import outcomes
from workers.connectors.audiences.store import refusal_entries
from workers.lanes.keys import Keys
from workers.outcomes import Quarantined, Resolved
from workers.quarantine import refused_members

if TYPE_CHECKING:
    from collections.abc import Iterable

    import redis

    from tests.fakes.server import FakePlatform
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig


@pytest.fixture
def rig(make_rig: MakeRig, account: Account, fake: FakePlatform) -> Rig:
    """With three members."""
    made = make_rig(account.name, fake)
    made.deliver(("add", people(range(3))))
    made.run()
    return made


def people(numbers: Iterable[int]) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com"} for n in numbers]


class Ended(BaseException):
    """Nobody catches it."""


class Books:
    """Reads the outcomes stream as a ledger would: an entry is written once, and what is final stays."""

    def __init__(self, rig: Rig, client: redis.Redis, namespace: str) -> None:
        self._rig = rig
        self._redis = client
        self._keys = Keys(namespace)
        self.entries: dict[str, Quarantined] = {}
        self.states: dict[str, str] = {}
        self.told = 0

    def read(self) -> list[tuple[str, str, int]]:
        """Profile, state and retries of each entry, in the order they came; what is told is told."""
        self.told = refused_members.tell(self._redis, self._keys, self._rig.connector)
        return self.look()

    def look(self) -> list[tuple[str, str, int]]:
        entries: Any = self._redis.xrange(self._keys.outcomes)
        for _, fields in entries:
            record = outcomes.decode(fields[b"r"])
            if isinstance(record, Quarantined) and record.uid not in self.entries:
                self.entries[record.uid], self.states[record.uid] = record, "open"
            elif isinstance(record, Resolved) and self.states.get(record.entry) in ("open", "retried"):
                self.states[record.entry] = record.state
        return [(str(each.profile), self.states[uid], each.retries) for uid, each in self.entries.items()]


@pytest.fixture
def books(rig: Rig, redis_client: redis.Redis, namespace: str) -> Books:
    redis_client.hset(Keys(namespace).integration("buyers"), "connector", rig.connector.key)
    return Books(rig, redis_client, namespace)


def refuse(account: Account, fake: FakePlatform, profiles: list[Profile]) -> None:
    fake.refuses = {value for _, value in account.wanted(profiles)}


def retry(rig: Rig, entry: Quarantined) -> set[str]:
    with rig.connector.store.changing() as connection:
        return refusal_entries.tell_again(connection, rig.connector.key, {entry.uid, "another"}, rig.fake.clock())


@on("vk", "google")
def test_each_is_an_entry_and_told_once(
    account: Account, rig: Rig, fake: FakePlatform, books: Books, redis_client: redis.Redis, namespace: str
) -> None:
    assert books.read() == []
    refuse(account, fake, people([3, 4]))
    rig.deliver(("add", people([3, 4, 5])))
    rig.run(hours=30)
    assert books.read() == [("3", "open", 0), ("4", "open", 0)]
    one = next(iter(books.entries.values()))
    assert (one.integration, one.segment, one.event_type) == ("buyers", "7", "add")
    assert one.code in ("vk-ads invalid_md5", "google-audiences INVALID_SHA256_FORMAT")
    assert one.reason.startswith(f"{rig.connector.platform.name} refuses what was sent of it as: Email address")
    assert (one.payload, one.sequence) == (b"", outcomes.OF_NO_LANE)
    assert redis_client.hget(Keys(namespace).integration("buyers"), "quarantined") == b"2"
    assert (books.read(), books.told) == ([("3", "open", 0), ("4", "open", 0)], 0)


@on("vk", "google")
def test_a_retry_is_told_to_the_platform_and_delivered_or_replaced(
    account: Account, rig: Rig, fake: FakePlatform, books: Books
) -> None:
    pair = people([3, 4])
    refuse(account, fake, pair)
    rig.deliver(("add", pair))
    rig.run(hours=30)
    books.read()
    refuse(account, fake, pair[1:])
    for entry in list(books.entries.values()):
        assert retry(rig, entry) == {entry.uid}
        assert retry(rig, entry) == set(), "it is on its way"
    rig.run(hours=30)
    assert sorted(books.read()) == [("3", "delivered", 0), ("4", "open", 1), ("4", "replaced", 0)]
    last = next(each for uid, each in books.entries.items() if books.states[uid] == "open")
    assert books.states[last.replaces] == "replaced"
    assert account.members(fake) == account.wanted([*people(range(3)), pair[0]])
    refuse(account, fake, [])
    retry(rig, last)
    rig.run(hours=30)
    assert sorted(books.read()) == [("3", "delivered", 0), ("4", "delivered", 1), ("4", "replaced", 0)]
    assert rig.rows("SELECT * FROM ads_refusal") == []


@on("vk")
def test_who_leaves_or_comes_with_another_value_is_superseded(
    account: Account, rig: Rig, fake: FakePlatform, books: Books
) -> None:
    refuse(account, fake, people([3, 4, 5]))
    rig.deliver(("add", people([3, 4, 5])))
    rig.run(hours=30)
    books.read()
    rig.deliver(("remove", people([3])), ("add", [{"id": "4", "email": "mended@example.com"}]))
    assert books.read() == [("3", "superseded", 0), ("4", "superseded", 0), ("5", "open", 0)]
    rig.tell("clear")
    assert [state for _, state, _ in books.read()] == ["superseded"] * 3


@on("vk")
def test_what_comes_again_by_an_event_is_on_its_way_and_refused_anew(
    account: Account, rig: Rig, fake: FakePlatform, books: Books
) -> None:
    refuse(account, fake, people([3]))
    rig.deliver(("add", people([3])))
    rig.run(hours=30)
    books.read()
    rig.deliver(("add", people([3])))
    assert books.read() == [("3", "retried", 0)]
    rig.run(hours=30)
    assert books.read() == [("3", "replaced", 0), ("3", "open", 1)]


@on("vk")
@pytest.mark.parametrize("after", ["the ledger", "the refusal"])
def test_who_ends_between_ledger_and_store_tells_it_again(
    account: Account, rig: Rig, fake: FakePlatform, books: Books, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """It was told, and the store does not know; meanwhile it may even be refused once more."""
    refuse(account, fake, people([3]))
    rig.deliver(("add", people([3])))
    rig.run(hours=30)
    with monkeypatch.context() as patch:

        def end(*_: object) -> None:
            raise Ended

        patch.setattr(rig.connector, "entries_told", end)
        with pytest.raises(Ended):
            books.read()
    assert books.look() == [("3", "open", 0)]
    if after == "the refusal":
        rig.deliver(("add", people([3])))
        rig.run(hours=30)
        assert books.read() == [("3", "replaced", 0), ("3", "open", 1)]
    else:
        assert books.read() == [("3", "open", 0)]
    assert (len(books.read()), books.told) == (len(books.entries), 0)


@on("vk")
def test_what_there_is_no_room_for_waits_in_the_store(
    account: Account,
    rig: Rig,
    fake: FakePlatform,
    books: Books,
    redis_client: redis.Redis,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refused_members, "AT_ONCE", 2)
    integration = Keys(namespace).integration("buyers")
    redis_client.hset(integration, "max_quarantine", 3)
    refuse(account, fake, people(range(3, 10)))
    rig.deliver(("add", people(range(3, 10))))
    rig.run(hours=30)
    assert len(books.read()) == 4, "no more than a step beyond it"
    assert len(rig.connector.refused(99)) == 7
    rig.deliver(("remove", people([3])))
    assert ("3", "superseded", 0) in books.read(), "what is told needs no room"
    assert len(books.entries) == 4
    redis_client.hset(integration, "max_quarantine", 100)
    assert len(books.read()) == 7


@on("vk")
def test_an_integration_that_is_gone_is_not_begun_anew(
    account: Account, rig: Rig, fake: FakePlatform, books: Books, redis_client: redis.Redis, namespace: str
) -> None:
    redis_client.delete(Keys(namespace).integration("buyers"))
    refuse(account, fake, people([3]))
    rig.deliver(("add", people([3])))
    rig.run(hours=30)
    assert books.read() == [("3", "open", 0)]
    assert not redis_client.exists(Keys(namespace).integration("buyers"))
