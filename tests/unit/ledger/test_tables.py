"""What a record becomes in a row."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from workers.errors import MalformedEvent
from workers.events.parsing import parse
from workers.ledger.rows import delivery_row, milliseconds_of, quarantine_row, query_rows, stored_text, time_of
from workers.ledger.tables import deliveries, quarantine, queries
from workers.outcomes import Delivery, Quarantined, QueryRun

NUMBERS = (10, 1, 0, 1, 1, 1_700_000_000_000, 900, 50)
TRY = Delivery("u", "crm", "db", "7", "delivered", "0", "1", *NUMBERS, queries=[QueryRun("add", 8, 1, 8, 900)] * 2)
ENTRY = Quarantined("u", "crm", "7", "add", "61f0", "0", 5, "mysql 1406", "too long", b"{}", 2, "ab", "vendor")

any_text = st.text(st.characters() | st.sampled_from("\0\ud800\udfff"))


def test_a_row_has_every_column_but_the_id() -> None:
    assert delivery_row(TRY).keys() == set(deliveries.c.keys()) - {"id"}
    assert quarantine_row(ENTRY).keys() == set(quarantine.c.keys()) - {"id"}
    assert [row.keys() for row in query_rows(1, TRY)] == [set(queries.c.keys())] * 2


@pytest.mark.parametrize(
    ("integration", "code", "source"),
    [("crm", "mysql 1406", "lane"), (None, "malformed", "intake"), (None, "unreadable record", "outcomes")],
)
def test_an_entry_says_where_it_comes_from(integration: str | None, code: str, source: str) -> None:
    record = Quarantined("u", integration, None, None, None, "0", 5, code, "why", b"{}", 2, "ab")

    assert quarantine_row(record)["source"] == source


@given(any_text)
def test_any_text_can_be_stored(text: str) -> None:
    stored = stored_text(text)

    assert stored is not None
    assert "\0" not in stored
    assert len(stored.encode()) <= 4 * 255
    assert stored_text(stored) == stored


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=255))
def test_ordinary_text_is_stored_as_it_is(text: str) -> None:
    assert stored_text(text) == text


def test_none_stays_none() -> None:
    assert stored_text(None) is None


@given(any_text, any_text)
def test_uids_are_short_clean_and_stay_different(one: str, other: str) -> None:
    first, second = (delivery_row(structs.replace(TRY, uid=uid))["uid"] for uid in (one, other))

    assert (first == second) == (one == other)
    assert isinstance(first, str)
    assert len(first) <= 64
    assert stored_text(first) == first


def test_a_uid_of_ours_is_stored_as_it_is() -> None:
    assert delivery_row(TRY)["uid"] == "u"


@pytest.mark.parametrize(("number", "stored"), [(-1, 0), (0, 0), (10**12, 10**12), (2**64 - 1, 10**12)])
def test_counts_are_bounded(number: int, stored: int) -> None:
    assert query_rows(1, structs.replace(TRY, waited_ms=number))[0]["waited_ms"] == stored


@pytest.mark.parametrize("number", [-(2**63), 0, 1_700_000_000_123, 2**64 - 1])
def test_every_stored_time_is_a_date(number: int) -> None:
    stored = quarantine_row(structs.replace(ENTRY, at_ms=number))["at_ms"]

    assert isinstance(stored, int)
    time = time_of(stored)
    assert time is not None
    assert milliseconds_of(time) == stored


def test_times_have_a_zone() -> None:
    noon = datetime(2023, 11, 15, 12, tzinfo=UTC)

    assert time_of(1_700_049_600_000) == noon
    assert time_of(None) is None
    assert milliseconds_of(noon.astimezone(timezone(timedelta(hours=-3)))) == 1_700_049_600_000
    with pytest.raises(ValueError, match="has no zone"):
        milliseconds_of(noon.replace(tzinfo=None))


def test_only_the_beginning_of_a_very_large_payload_is_kept() -> None:
    large = structs.replace(ENTRY, payload=bytes(17 * 2**20), size=17 * 2**20)

    row = quarantine_row(large)

    assert (len(row["payload"] or b""), row["size"]) == (16 * 2**20, 17 * 2**20)  # type: ignore[arg-type]


def reason_for(**keys: object) -> str:
    """What the quarantine says of an event that cannot be read."""
    with pytest.raises(MalformedEvent) as caught:
        parse(json.dumps({"type": "clear", "segment": {"id": 7}, **keys}).encode())
    reason = str(caught.value).partition(": ")[2]
    return str(quarantine_row(structs.replace(ENTRY, integration=None, reason=reason))["reason"])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"type": "S"}, "type: what stands there is none; expected one of "),
        ({"type": "it's S"}, "type: what stands there is none; expected one of "),
        ({"type": "S' is none; S"}, "type: what stands there is none; expected one of "),
        ({"type": "S\n'S"}, "type: what stands there is none; expected one of "),
        ({"at": "S"}, "at: what stands there is no time; expected ISO 8601 "),
        ({"at": "S' is no time; 'S"}, "at: what stands there is no time; expected ISO 8601 "),
        ({"at": "S" * 99}, "at: what stands there is no time; expected ISO 8601 "),
        ({"segment": {"id": "S\n"}}, "segment.id: what stands there holds a control character; expected "),
        ({"segment": {"id": 7, "name": "S\0"}}, "segment.name: what stands there holds NUL, or "),
        ({"segment": {"id": 7, "tags": ["S\n"]}}, "segment.tags[0]: what stands there holds a control character; "),
    ],
)
def test_why_an_event_cannot_be_read_is_said_without_its_text(keys: dict[str, object], told: str) -> None:
    found = reason_for(**keys)
    assert found.startswith(told)
    assert found.replace("ISO", "").count("S") == 0


@given(any_text, st.sampled_from(("type", "at")))
def test_it_is_the_same_whatever_the_text(text: str, place: str) -> None:
    written = f"{place[:2]} {text}".encode("utf-8", "replace").decode()
    assert reason_for(**{place: written}) == reason_for(**{place: "any"})


def test_a_sentence_that_is_not_known_is_cut_before_its_text_and_others_stay() -> None:
    def told(reason: str, integration: str | None = None) -> object:
        return quarantine_row(structs.replace(ENTRY, integration=integration, reason=reason))["reason"]

    assert told("at: 'S' is of tomorrow") == "at: what stands there cannot be used"
    assert told("resync: 'S' is not applied, or so") == "resync: what stands there is not applied, or so"
    for same in ("profiles[1] is null; expected an object", "the field 'retry' is none of ours", "expected `str`"):
        assert told(same) == same
    assert told("at: 'crm' is none; so", "crm") == "at: 'crm' is none; so"
