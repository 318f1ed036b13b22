"""What people have had done: written once, kept for more than a year, whatever it holds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import structs

from workers.ledger.acts import KEPT_MS
from workers.ledger.past_acts import list_acts
from workers.outcomes import Acted, new_uid

if TYPE_CHECKING:
    from workers.ledger.database import Ledger

NOW = int(time.time() * 1000)


def act(**changes: Any) -> Acted:
    usual = Acted(new_uid(), NOW, "ann", "console", "pause", "crm", "the table is moved", "10.0.0.7")
    return structs.replace(usual, **changes)


def test_an_act_that_is_written_twice_is_written_once(ledger: Ledger) -> None:
    once = act()
    ledger.write([once, once])
    ledger.write([once, act(act="resume", at_ms=NOW + 1)])
    assert [each.act for each in list_acts(ledger)] == ["resume", "pause"]
    pause = list_acts(ledger)[1]
    assert (pause.who, pause.via, pause.target, pause.reason, pause.address, pause.failed) == (
        *("ann", "console", "crm", "the table is moved", "10.0.0.7", ""),
    )


def test_they_are_found_by_time_and_target(ledger: Ledger) -> None:
    ledger.write([act(at_ms=NOW - 7_200_000), act(at_ms=NOW - 1, target="erp"), act()])
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert [each.target for each in list_acts(ledger, hour_ago)] == ["crm", "erp"]
    assert [each.target for each in list_acts(ledger, None, hour_ago)] == ["crm"]
    assert len(list_acts(ledger, target="crm")) == 2
    assert len(list_acts(ledger, limit=1)) == 1


def test_what_is_older_than_it_is_kept_goes_with_the_next(ledger: Ledger) -> None:
    ledger.write([act(at_ms=NOW - KEPT_MS - 60_000, target="old")])
    ledger.write([act(at_ms=NOW - KEPT_MS + 600_000, target="young"), act()])
    assert [each.target for each in list_acts(ledger)] == ["crm", "young"]


def test_a_clock_that_is_far_ahead_takes_nothing(ledger: Ledger) -> None:
    ledger.write([act(target="kept")])
    ledger.write([act(at_ms=NOW + 2 * KEPT_MS)])
    assert len(list_acts(ledger)) == 2


def test_anything_can_be_written(ledger: Ledger) -> None:
    ledger.write([act(who="\0\ud800", target="t" * 5_000, reason="r" * 9_000)])
    (found,) = list_acts(ledger)
    assert (len(found.target), len(found.reason)) == (1_000, 4_000)
