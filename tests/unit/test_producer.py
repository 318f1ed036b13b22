"""The producers' client without a Redis: what it sends, and what it refuses before sending."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import pickle
import sys
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry

import segsync
from segsync import AsyncProducer, IntakeFull, InvalidEvent, Producer, ProducerError, PushFailed
from tests.cases import case
from tests.fake_redis import FakeRedis, async_producer_to, producer_to
from tests.servers.process import free_port
from tests.unit.events.table import ROWS, SECRET, Row, Verdict
from tests.waiting import until
from workers.errors import MalformedEvent
from workers.events import parsing as events
from workers.events import profiles
from workers.events.numerals import Numeral
from workers.events.parsing import parse
from workers.events.profiles import profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MIB = 1024 * 1024


@pytest.fixture
def intake() -> FakeRedis:
    return FakeRedis()


@pytest.fixture(params=[producer_to, async_producer_to], ids=["", "async"])
def producer(intake: FakeRedis, request: pytest.FixtureRequest) -> Iterator[Producer]:
    """Both of them: what they check and send is the same."""
    with request.param(intake) as made:
        yield made


def loaded(row: Row) -> Any:
    try:
        return json.loads(row.data.decode(), parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


# --- The same rules as the intake's ------------------------------------------------------------------------------


def each_row(intake: FakeRedis, rows: list[Row]) -> Iterator[Row]:
    """Each row, with nothing in the intake before it."""
    assert rows
    for row in rows:
        intake.chunks.clear()
        yield row


def test_good_json_is_sent(producer: Producer, intake: FakeRedis) -> None:
    for row in each_row(intake, [row for row in ROWS if row.verdict is Verdict.GOOD]):
        with case(row.name):
            assert producer.push([row.data, row.data.decode()]) == ["1-0", "1-1"]

            first, second, given = (parse(data) for data in (*intake.events, row.data))
            assert first == second
            assert [each[:2] for each in first.profiles] == [each[:2] for each in given.profiles]
            assert [profile(raw) for *_, raw in first.profiles] == [profile(raw) for *_, raw in given.profiles]


def test_bad_json_is_refused(producer: Producer, intake: FakeRedis) -> None:
    for row in each_row(intake, [row for row in ROWS if row.verdict is not Verdict.GOOD]):
        with case(row.name):
            with pytest.raises(InvalidEvent) as caught:
                producer.push([row.data])

            assert intake.chunks == []
            assert caught.value.place.startswith("events[0]")
            assert SECRET not in str(caught.value)


def test_objects_are_judged_as_their_json(producer: Producer, intake: FakeRedis) -> None:
    for row in each_row(intake, [row for row in ROWS if isinstance(loaded(row), dict)]):
        with case(row.name):
            if row.verdict is not Verdict.GOOD:
                with pytest.raises(InvalidEvent) as caught:
                    producer.push([loaded(row)])
                assert SECRET not in str(caught.value)
            else:
                producer.push([loaded(row)])
                assert parse(intake.events[0]).segment == parse(row.data).segment
                assert parse(intake.events[0]).at_us == parse(row.data).at_us


_TEXTS = st.text('aü😀 \n\0"\\[]{},:\ud800', max_size=6)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.decimals()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3), max_leaves=6
)
_IDS = st.integers(0, 9) | st.sampled_from(["a", "", "ü", None, True, 1.5, "\n", "x" * 256])
_EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*segsync.KINDS, "resync", None])},
    optional={
        "segment": st.fixed_dictionaries(
            {"id": _IDS}, optional={"name": _SCALARS, "database": _IDS, "tags": st.lists(_IDS, max_size=2) | _SCALARS}
        ),
        "profiles": st.lists(st.dictionaries(st.sampled_from(["_id", "a"]), _IDS | _VALUES), max_size=2) | _SCALARS,
        "at": st.none() | st.just("2026-11-21T18:30Z") | _SCALARS,
        "id": _IDS,
        "x": _VALUES,
    },
)


@given(_EVENTS)
def test_whatever_the_client_sends_the_intake_takes(event: dict[str, Any]) -> None:
    intake = FakeRedis()
    try:
        producer_to(intake).push([event])
    except InvalidEvent:
        return
    assert parse(intake.events[0]).bad == []


@given(_EVENTS, st.booleans())
def test_the_client_sends_whatever_json_the_intake_takes(event: dict[str, Any], ascii_only: bool) -> None:
    data = json.dumps(event, default=str, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    try:
        good = not parse(data).bad
    except MalformedEvent:
        good = False
    intake = FakeRedis()
    try:
        producer_to(intake).push([data])
    except InvalidEvent:
        assert not good
    else:
        assert good


def test_both_sides_have_the_same_limits() -> None:
    names = ("MAX_EVENT_BYTES", "MAX_ID_BYTES", "MAX_NAME_BYTES", "MAX_FACTS", "MAX_DEPTH")
    ours = vars(profiles) | vars(events)

    assert [getattr(segsync, name) for name in names] == [ours[name] for name in names]


# --- The methods -------------------------------------------------------------------------------------------------


def test_every_method_makes_its_event(producer: Producer, intake: FakeRedis) -> None:
    producer.add(7, [{"_id": 1, "name": "Zoë"}], at="2026-11-21T18:30:00Z", id="evt-1")
    producer.remove("7", ({"_id": each} for each in ("a", "b")), tags={"eu"})
    producer.clear(7)
    producer.segment_upsert(7, name="VIP", database="main", groups=iter(["sales"]), tags=())
    producer.segment_delete(7, name=None)

    assert [event.decode() for event in intake.events] == [
        '{"type":"add","segment":{"id":7},"at":"2026-11-21T18:30:00Z","id":"evt-1","profiles":[{"_id":1,"name":"Zoë"}]}',
        '{"type":"remove","segment":{"id":"7","tags":["eu"]},"profiles":[{"_id":"a"},{"_id":"b"}]}',
        '{"type":"clear","segment":{"id":7}}',
        '{"type":"segment_upsert","segment":{"id":7,"name":"VIP","database":"main","groups":["sales"],"tags":[]}}',
        '{"type":"segment_delete","segment":{"id":7}}',
    ]
    assert intake.keys == ["segsync:events", "segsync:limits", "segsync:full"]


def test_a_time_with_a_zone_is_taken(producer: Producer, intake: FakeRedis) -> None:
    producer.clear(7, at=datetime(2026, 11, 21, 18, 30, tzinfo=timezone(timedelta(hours=2))))

    assert parse(intake.events[0]).at_us == datetime(2026, 11, 21, 16, 30, tzinfo=UTC).timestamp() * 1_000_000


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2026, 11, 21, 18, 30), "at: is a datetime without a zone"),  # noqa: DTZ001 - the point
        (datetime(1, 1, 1, tzinfo=UTC), "at: expected ISO 8601"),
        (datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=1172))), "at: expected ISO 8601"),
    ],
)
def test_a_time_that_templates_could_not_show_is_refused(at: datetime, says: str, producer: Producer) -> None:
    with pytest.raises(InvalidEvent, match=says):
        producer.clear(7, at=at)


def test_no_profiles_are_an_event_that_does_nothing(producer: Producer, intake: FakeRedis) -> None:
    assert producer.add(7, []) == ["1-0"]

    assert parse(intake.events[0]).profiles == []


def test_a_misspelt_fact_is_refused(producer: Producer) -> None:
    with pytest.raises(TypeError, match=r"clear\(\) got an unexpected keyword argument 'tag'"):
        producer.clear(7, tag=["eu"])  # type: ignore[call-arg]


@pytest.mark.parametrize("one", [{"_id": 1}, "61f0", b"61f0", None, 7])
def test_one_profile_is_no_list(one: Any, producer: Producer, intake: FakeRedis) -> None:
    with pytest.raises(InvalidEvent, match="profiles: expected a list of profiles, got"):
        producer.add(7, one)
    assert intake.chunks == []


@pytest.mark.parametrize("one", [{"type": "clear"}, "{}", b"{}"])
def test_one_event_is_no_list(one: Any, producer: Producer) -> None:
    with pytest.raises(TypeError, match=r"push\(\) takes a list of events, got one"):
        producer.push(one)


def test_a_client_of_ones_own_stays_open(intake: FakeRedis) -> None:
    for made in (producer_to(intake), async_producer_to(intake)):
        with made as producer:
            producer.clear(7)
    assert not intake.closed


def test_both_have_the_same_methods_with_the_same_parameters() -> None:
    def methods(kind: type) -> dict[str, Any]:
        return {
            name: [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]
            for name, method in vars(kind).items()
            if inspect.isfunction(method) and not name.startswith("__")
        }

    own = methods(segsync._Events) | methods(Producer)
    del own["pipeline"]  # a coroutine gathers events in a list of its own, and pushes that
    assert own == methods(AsyncProducer)


# --- Values ------------------------------------------------------------------------------------------------------


def test_decimals_keep_their_digits(producer: Producer, intake: FakeRedis) -> None:
    value = Decimal("0.10000000000000000001")

    producer.add(7, [OrderedDict(_id=1, a=value, b=[{"c": Decimal("1E+5")}], d=(Decimal(-5), 1.5, "ü"))])

    ((_, _, raw),) = parse(intake.events[0]).profiles
    assert profile(raw) == {
        "_id": 1,
        "a": Numeral("0.10000000000000000001"),
        "b": [{"c": Numeral("1E+5")}],
        "d": [-5, Numeral("1.5"), "ü"],
    }


def test_keys_that_are_numbers_become_text_as_json_does(producer: Producer, intake: FakeRedis) -> None:
    keys: dict[Any, Any] = {"_id": 1, 7: 1, 1.5: 1, None: 1, False: 1}

    producer.add(7, [keys, {**keys, "a": Decimal(1)}])

    written = [profile(raw) for *_, raw in parse(intake.events[0]).profiles]
    assert written[0] == {"_id": 1, "7": 1, "1.5": 1, "null": 1, "false": 1}
    assert written[1] == {**written[0], "a": 1}


_BOTTOMLESS: list[Any] = []
_BOTTOMLESS.append(_BOTTOMLESS)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (datetime(2026, 11, 21, tzinfo=UTC), "born: is datetime; write it as text, as value.isoformat() does"),
        (datetime(2026, 11, 21, tzinfo=UTC).date(), "born: is date; write it as text, as value.isoformat() does"),
        (b"secret", "born: is bytes; write it as text"),
        (UUID(int=1), "born: is UUID; write it as text, as str(value) does"),
        ({1}, "born: is set; write it as a list"),
        (object(), "born: is object; JSON has no such value"),
        (float("nan"), "born: is not finite"),
        (Decimal("Infinity"), "born: is Decimal"),
        (10**4300, "born: is an integer of more than 4,300 digits"),
        ("secret\udc00", "born: holds half of a surrogate pair"),
        ([1, {"x": [object()]}], "born[1].x[0]: is object"),
        ({(1, 2): 3}, "born: a key is tuple; expected text"),
        ({"\ud800": 3}, "a key of profiles[1].born: holds half of a surrogate pair"),
        (_BOTTOMLESS, "is nested more than 100 levels deep"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() else "value",
)
def test_what_json_has_not_is_refused_with_its_place(
    value: object, says: str, producer: Producer, intake: FakeRedis
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        producer.add(7, [{"_id": 1}, {"_id": 2, "born": value}])

    assert says in str(caught.value)
    assert "profiles[1].born" in caught.value.place
    assert "secret" not in str(caught.value)
    assert intake.chunks == []


@pytest.mark.parametrize("value", [1.0, True, None, "", {}, [], Decimal(7), UUID(int=1), b"7"])
def test_an_id_is_a_string_or_an_integer(value: object, producer: Producer) -> None:
    with pytest.raises(InvalidEvent, match=r"profiles\[0\]\._id: .*expected a string or an integer"):
        producer.add(7, [{"_id": value}])
    with pytest.raises(InvalidEvent, match=r"segment\.id: .*expected a string or an integer"):
        producer.clear(cast("str", value))


@pytest.mark.parametrize("value", [7, None, ["clear"], object()])
def test_what_is_neither_object_nor_json_is_refused(value: Any, producer: Producer) -> None:
    with pytest.raises(InvalidEvent, match=r"events\[0\]: expected an object \(dict\) or its JSON"):
        producer.push([value])


# --- Splitting and chunks ----------------------------------------------------------------------------------------


def test_more_than_10_000_profiles_become_several_events_in_order(producer: Producer, intake: FakeRedis) -> None:
    ids = producer.remove(7, ({"_id": each} for each in range(20_001)), name="VIP")

    parsed = [parse(event) for event in intake.events]
    assert [len(event.profiles) for event in parsed] == [10_000, 10_000, 1]
    assert [profile_id for event in parsed for _, profile_id, _ in event.profiles] == [str(i) for i in range(20_001)]
    assert {event.segment.name for event in parsed} == {"VIP"}
    assert len(ids) == 3


@pytest.mark.parametrize("as_json", [True, False])
def test_more_than_8_mib_become_several_events_in_order(as_json: bool, producer: Producer, intake: FakeRedis) -> None:
    profiles = [{"_id": each, "a": "x" * MIB, "b": 1.50} for each in range(20)]
    event = {"type": "add", "segment": {"id": 7}, "id": "evt", "profiles": profiles}
    data = json.dumps(event).replace("1.5", "1.50")

    ids = producer.push([data if as_json else event, {"type": "clear", "segment": {"id": 7}}])

    parsed = [parse(event) for event in intake.events]
    assert [len(event.profiles) for event in parsed] == [7, 7, 6, 0]
    assert [profile_id for event in parsed for _, profile_id, _ in event.profiles] == [str(each) for each in range(20)]
    assert profile(parsed[0].profiles[0][2])["b"] == Numeral("1.50" if as_json else "1.5")
    assert len(ids) == 4


def test_an_event_of_exactly_8_mib_is_not_split(producer: Producer, intake: FakeRedis) -> None:
    room = 8 * MIB - len('{"type":"add","segment":{"id":7},"profiles":[{"_id":1},{"_id":2,"a":""}]}')

    producer.add(7, [{"_id": 1}, {"_id": 2, "a": "x" * room}])
    producer.add(7, [{"_id": 1}, {"_id": 2, "a": "x" * (room + 1)}])

    assert [len(parse(event).profiles) for event in intake.events] == [2, 1, 1]
    assert len(intake.events[0]) == 8 * MIB


def test_a_profile_that_no_event_can_hold_is_refused(producer: Producer, intake: FakeRedis) -> None:
    with pytest.raises(InvalidEvent, match=r"profiles\[1\]: has 8,388,624 bytes; its event could have 8,388,561"):
        producer.add(7, [{"_id": 1}, {"_id": 2, "a": "x" * 8 * MIB}])
    assert intake.chunks == []


def test_an_event_that_cannot_be_split_is_refused(producer: Producer) -> None:
    with pytest.raises(InvalidEvent, match=r"8,388,\d+ bytes; an event is at most 8,388,608"):
        producer.push([{"type": "clear", "segment": {"id": 7}, "note": "x" * 8 * MIB}])


def test_chunks_hold_1_000_events_or_about_1_mb(producer: Producer, intake: FakeRedis) -> None:
    producer.push({"type": "clear", "segment": {"id": each}} for each in range(2500))
    producer.push({"type": "clear", "segment": {"id": each}, "note": "x" * 300_000} for each in range(7))

    assert [len(chunk) for chunk in intake.chunks] == [1000, 1000, 500, 3, 3, 1]


class SlowIntake(FakeRedis):
    """Takes each chunk only when so many events have been asked of who pushes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __call__(self, keys: list[str], args: list[bytes]) -> list[bytes]:
        until(lambda: self.asked > min(2500, len(self.events) + 2000), "the making of the next chunk")
        return super().__call__(keys, args)


def test_the_next_chunk_is_made_while_redis_takes_one() -> None:
    intake = SlowIntake()

    def events() -> Iterator[dict[str, Any]]:
        for each in range(2501):
            intake.asked += 1
            yield {"type": "clear", "segment": {"id": each}}

    assert len(producer_to(intake).push(events())) == 2501
    assert [len(chunk) for chunk in intake.chunks] == [1000, 1000, 501]


def test_nothing_is_sent_behind_a_chunk_that_failed() -> None:
    intake = FakeRedis(fails_at=1, error=redis.ConnectionError("gone"))
    asked = 0

    def events() -> Iterator[dict[str, Any]]:
        nonlocal asked
        for asked in range(5000):
            yield {"type": "clear", "segment": {"id": asked}}

    with pytest.raises(PushFailed, match="accepted before it: 1,000; whether the next 1,000 were is not known"):
        producer_to(intake).push(events())
    assert (len(intake.events), asked) == (1000, 3000)


def test_a_push_while_the_interpreter_ends_needs_no_thread(monkeypatch: pytest.MonkeyPatch, producer: Producer) -> None:
    def none(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", none)
    assert len(producer.push({"type": "clear", "segment": {"id": each}} for each in range(2500))) == 2500


def test_a_pipeline_sends_a_thousand_single_calls_at_once(intake: FakeRedis) -> None:
    with producer_to(intake).pipeline() as events:
        events.segment_upsert(7, name="VIP")
        for each in range(2200):
            events.add(7, [{"_id": each}])
        events.event(b'{"type":"clear","segment":{"id":7}}')
        events.remove(7, [{"_id": "x"}])
    assert [len(chunk) for chunk in intake.chunks] == [1000, 1000, 203]
    assert [parse(event).kind.label for event in intake.events[-2:]] == ["clear", "remove"]
    assert [parse(event).profiles[0][1] for event in intake.events[1:4]] == ["0", "1", "2"]
    assert events.done == 2203


def test_an_invalid_call_of_a_pipeline_keeps_nothing_of_itself_alone(intake: FakeRedis) -> None:
    with producer_to(intake).pipeline() as events:
        events.clear(1)
        with pytest.raises(InvalidEvent, match=r"profiles\[1\]\._id: expected a string or an integer, got nothing"):
            events.add(7, [{"_id": 1}, {"name": "no id"}])
        events.clear(2)
    assert len(intake.events) == events.done == 2


BAD_CALLS: dict[str, Callable[[Any], object]] = {
    "event": lambda events: events.event({"type": "add", "segment": {"id": 7}, "profiles": [{"_id": True}]}),
    "json": lambda events: events.event("{"),
    "profile": lambda events: events.add(7, [{"_id": True}]),
    "segment": lambda events: events.remove("", [{"_id": 1}]),
    "clear": lambda events: events.clear(""),
    "upsert": lambda events: events.segment_upsert(7, name=5),
    "long": lambda events: events.event({"type": 10**4300}),
}


@pytest.mark.parametrize("bad", BAD_CALLS)
def test_a_bad_call_that_ends_a_pipeline_says_how_many_are_accepted(intake: FakeRedis, bad: str) -> None:
    """Who went on from 0 would push all of them twice."""

    def fails() -> None:
        with producer_to(intake).pipeline() as events:
            for number in range(2500):
                events.clear(number)
            BAD_CALLS[bad](events)

    with pytest.raises(InvalidEvent) as caught:
        fails()
    assert caught.value.done == len(intake.events) == 2000


def test_a_pipeline_that_failed_says_how_many_calls_are_accepted_and_sends_no_more() -> None:
    intake = FakeRedis(fails_at=1, error=redis.ConnectionError("gone"))
    events = producer_to(intake).pipeline()

    def pushes() -> None:
        with events:
            for each in range(5000):
                events.clear(each)

    with pytest.raises(PushFailed, match="accepted before it: 1,000; whether the next 1,000 were is not") as caught:
        pushes()
    assert (caught.value.done, caught.value.unknown, len(intake.events)) == (1000, 1000, 1000)
    for late in (lambda: events.clear(1), events.flush):
        with pytest.raises(ValueError, match="the pipeline is over, or has failed"):
            late()
    assert events.done == 1000


def test_a_pipeline_whose_block_fails_sends_no_more(intake: FakeRedis) -> None:
    def fails() -> None:
        with producer_to(intake).pipeline() as events:
            events.clear(1)
            raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        fails()
    assert intake.events == []


class _Slow(FakeRedis):
    """Has the answer to a full chunk only when the block has failed."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(0 if error else None, error)
        self.failed = Event()

    def __call__(self, keys: list[str], args: list[bytes]) -> list[bytes]:
        assert self.failed.wait(10)
        return super().__call__(keys, args)


class _Failing:
    """Fails in the block of a pipeline while a chunk is on its way."""

    def __init__(self, intake: _Slow, own: Exception | None) -> None:
        self.events = producer_to(intake).pipeline()
        try:
            with self.events:
                for each in range(1001):
                    self.events.clear(each)
                intake.failed.set()
                if own is not None:
                    raise own
                self.events.add(7, [{"name": "no id"}])
        except (KeyError, ProducerError) as error:
            self.raised = error


def test_a_pipeline_whose_block_fails_counts_what_was_on_its_way() -> None:
    invalid, own = _Failing(_Slow(), None), _Failing(_Slow(), KeyError("the caller's own"))
    assert isinstance(invalid.raised, InvalidEvent)
    assert isinstance(own.raised, KeyError)
    assert (invalid.raised.done, invalid.events.done, own.events.done) == (1000, 1000, 1000)


def test_a_pipeline_whose_block_fails_tells_of_a_lost_answer() -> None:
    lost = redis.ConnectionError("gone")
    invalid, own = _Failing(_Slow(lost), None), _Failing(_Slow(lost), KeyError("the caller's own"))
    assert isinstance(invalid.raised, InvalidEvent)
    assert isinstance(own.raised, KeyError)
    assert (invalid.raised.done, invalid.raised.unknown) == (0, 1000)
    assert "accepted before it: 0; whether the next 1,000 were is not known" in str(invalid.raised)
    for each in (invalid, own):
        assert (each.events.done, each.events.unknown) == (0, 1000)


def test_an_error_of_another_producer_keeps_its_count_in_a_block() -> None:
    failed = PushFailed("elsewhere")
    failed.done = 3
    failing = _Failing(_Slow(), failed)
    assert failing.raised is failed
    assert (failed.done, failing.events.done) == (3, 1000)


def test_an_event_in_parts_is_one_call_of_a_pipeline(intake: FakeRedis) -> None:
    with producer_to(intake).pipeline() as events:
        events.add(7, ({"_id": each} for each in range(25_000)))
        events.clear(8)
        events.flush()
        assert events.done == 2
    assert len(intake.events) == 4


def test_of_a_chunk_with_an_invalid_event_nothing_is_sent(producer: Producer, intake: FakeRedis) -> None:
    given: list[dict[str, Any]] = [{"type": "clear", "segment": {"id": each}} for each in range(2500)]
    given[2400]["type"] = "add"

    with pytest.raises(
        InvalidEvent, match=r"^events\[2400\].profiles: add needs them.*; accepted before it: 2,000$"
    ) as caught:
        producer.push(given)

    assert len(intake.events) == len(caught.value.accepted) == caught.value.done == 2000
    assert caught.value.index == 2400


def test_done_counts_profiles_for_add(producer: Producer, intake: FakeRedis) -> None:
    def profiles() -> Iterator[dict[str, Any]]:
        yield from ({"_id": each, "a": "x" * 100} for each in range(25_000))
        yield {"_id": None}

    with pytest.raises(InvalidEvent, match=r"profiles\[25000\]\._id") as caught:
        producer.add(7, profiles())

    assert caught.value.done == sum(len(parse(event).profiles) for event in intake.events) == 10_000
    assert len(caught.value.accepted) == 1


def test_a_split_event_counts_when_its_last_part_is_accepted(producer: Producer, intake: FakeRedis) -> None:
    """Five events of two parts each, three parts to a chunk: the last chunk is not sent."""
    profiles = [{"_id": each, "a": "x" * 10} for each in range(20_000)]
    big = {"type": "add", "segment": {"id": 7}, "profiles": profiles}

    with pytest.raises(InvalidEvent) as caught:
        producer.push([*([big] * 5), {"type": "none"}])

    assert [len(chunk) for chunk in intake.chunks] == [3, 3, 3]
    assert len(caught.value.accepted) == 9
    assert caught.value.done == 4


# --- The file itself ---------------------------------------------------------------------------------------------


def test_it_needs_nothing_but_the_standard_library_and_redis() -> None:
    tree = ast.parse(Path(segsync.__file__).read_text(encoding="utf-8"), feature_version=(3, 9))

    plain = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    from_ = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) if node.module}
    tops = {name.partition(".")[0] for name in plain | from_}
    assert tops - sys.stdlib_module_names == {"redis"}


def test_errors_survive_pickling() -> None:
    """A platform's own Celery sends what its tasks raise through a pickle or a pipe."""
    invalid = InvalidEvent("is empty", "events[3].segment.id", 3)
    invalid.done, invalid.accepted = 2, ["1-0", "1-1"]
    failed = IntakeFull("the intake is full")
    failed.unknown = 5

    for error in (invalid, failed):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_one_except_catches_them_all() -> None:
    assert issubclass(IntakeFull, PushFailed)
    assert issubclass(PushFailed, ProducerError)
    assert issubclass(InvalidEvent, ProducerError)


@pytest.mark.parametrize("made", [None, lambda: None, lambda *_: lambda *_: "x"], ids=["none", "fewer", "other"])
def test_an_encoder_that_the_library_has_not_is_done_without(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    event = {"type": "add", "é": [1.5, None, True, {"a": 10**30}]}
    expected = segsync._encoder.encode(event)
    assert segsync._encode(event) == expected
    monkeypatch.setattr(json.encoder, "c_make_encoder", made)
    encode = segsync._encoding()
    monkeypatch.undo()
    assert encode(event) == expected


def test_what_holds_itself_is_refused(producer: Producer, intake: FakeRedis) -> None:
    profile: dict[str, Any] = {"_id": "1"}
    profile["self"] = [profile]
    with pytest.raises(InvalidEvent, match="nested more than 100 levels"):
        producer.push([{"type": "add", "segment": {"id": 7}, "profiles": [profile]}])
    assert not intake.events


def test_an_event_of_a_few_profiles_is_encoded_once(monkeypatch: pytest.MonkeyPatch, producer: Producer) -> None:
    encoded: list[Any] = []

    def noted(value: Any) -> str:
        encoded.append(value)
        return segsync._encoder.encode(value)

    monkeypatch.setattr(segsync, "_encode", noted)
    producer.push([{"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "1"}, {"_id": "2"}]}])
    assert len(encoded) == 1


@pytest.mark.parametrize("made", [Producer, AsyncProducer])
def test_redis_may_be_a_unix_socket(made: Any, tmp_path: Path) -> None:
    """Where nobody listens it fails as any other link does."""
    producer = made(f"unix://{tmp_path}/none.sock")

    async def pushes() -> None:
        answer = producer.clear(7)
        if inspect.isawaitable(answer):
            await answer

    with pytest.raises(PushFailed, match="the link to Redis failed") as caught:
        asyncio.run(pushes())
    assert (caught.value.unknown, ".;" in str(caught.value)) == (0, False)


@pytest.mark.parametrize(("retries", "unknown"), [(0, 0), (1, 1)])
def test_what_was_never_sent_is_not_unknown_but_where_it_may_be_a_second_try(retries: int, unknown: int) -> None:
    client = redis.Redis("127.0.0.1", free_port(), retry=Retry(NoBackoff(), retries))
    with pytest.raises(PushFailed, match=r"failed: Error \S+ connecting to .*refused; accepted before it: 0") as caught:
        Producer(client=client).clear(7)
    assert caught.value.unknown == unknown
