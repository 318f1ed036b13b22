"""Sums of deliveries become records again (rule 29)."""

from __future__ import annotations

import logging

import msgspec
import pytest

from workers.ledger.rollups import unfold

GROUP = msgspec.msgpack.encode(("crm", "db", "delivered", "", "", "", 400_000, 64.0))
NAMES = ("tries", "operations", "merged", "moot", "quarantined", "duration_us")


def fields(group: bytes, **more: int) -> dict[bytes, bytes]:
    values = dict.fromkeys(NAMES, b"3") | {"uid": b"u", "first": b"1", "last": b"9"}
    values |= {name: b"%d" % value for name, value in more.items()}
    return {name.replace("__", ".").encode() + b":" + group: value for name, value in values.items()}


def test_a_group_becomes_one_record_with_a_query_for_each_event_type() -> None:
    runs = {f"{kind}__{what}": 2 for kind in ("add", "remove") for what in ("profiles", "statements", "rows", "runs")}
    times = {"add__duration_us": 5, "remove__duration_us": 7, "add__unsent": 3}

    (record,) = unfold(fields(GROUP, **runs, **times))

    assert (record.uid, record.integration, record.tries, record.waited_ms) == ("u", "crm", 3, 64)
    assert record.started_ms == 400_000 * 3_600_000
    told = [(run.event_type, run.runs, run.duration_us, run.unsent) for run in record.queries]
    assert told == [("add", 2, 5, 3), ("remove", 2, 7, 0)]


@pytest.mark.parametrize("group", [b"", b"x", msgspec.msgpack.encode(("crm", "db")), b"\xff:\x00"])
def test_what_another_version_has_written_keeps_nothing_else_back(
    group: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        (record,) = unfold(fields(group) | fields(GROUP))
    assert record.integration == "crm"
    assert "sums of 3 tries" in caplog.text


def test_a_group_without_its_uid_is_left_out() -> None:
    assert unfold({b"tries:" + GROUP: b"1"}) == []
