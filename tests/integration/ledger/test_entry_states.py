"""What becomes of entries: in stream order, once however often it is written, final where it is final."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.ledger.records import NOON, entry, rows
from workers.ledger.tables import quarantine
from workers.outcomes import Cleared, Resolved

if TYPE_CHECKING:
    from workers.ledger.database import Ledger
    from workers.outcomes import Record


def states(ledger: Ledger) -> dict[str, str]:
    return {row["uid"]: row["state"] for row in rows(ledger, quarantine)}


def resolved(uid: str, *states_: str) -> list[Record]:
    return [Resolved(uid, state, NOON + n, "code", "why", "ann") for n, state in enumerate(states_)]


def test_an_entry_and_what_became_of_it_in_one_batch(ledger: Ledger) -> None:
    assert ledger.write([entry(uid="a"), *resolved("a", "retried", "delivered")]) == 1
    (row,) = rows(ledger, quarantine)
    assert (row["state"], row["changed_ms"], row["changed_by"], row["note"]) == (
        "delivered",
        NOON + 1,
        "ann",
        "code: why",
    )


@pytest.mark.parametrize("final", ["delivered", "superseded", "replaced", "dropped"])
def test_final_is_final(ledger: Ledger, final: str) -> None:
    """In one batch, in later ones, and when a drainer that stood still writes what another has written."""
    early = [entry(uid="a"), *resolved("a", "retried", "open")]
    ledger.write([*early, *resolved("a", final, "retried", "dropped", "open")])
    assert states(ledger) == {"a": final}
    ledger.write(early)
    ledger.write(resolved("a", "dropped"))
    assert states(ledger) == {"a": final}


def test_what_came_back_is_open_and_can_go_again(ledger: Ledger) -> None:
    ledger.write([entry(uid="a"), *resolved("a", "retried")])
    ledger.write(resolved("a", "open"))
    assert states(ledger) == {"a": "open"}
    ledger.write(resolved("a", "retried", "delivered"))
    assert states(ledger) == {"a": "delivered"}


def test_a_drainer_that_was_overtaken_brings_nothing_back(ledger: Ledger) -> None:
    """It stood still with a retry in its hand, and another has written since that it led nowhere."""
    retried, opened = resolved("a", "retried", "open")
    ledger.write([entry(uid="a"), retried])
    ledger.write([opened])
    ledger.write([retried])
    assert states(ledger) == {"a": "open"}


def test_a_clear_supersedes_what_is_older_in_its_lane(ledger: Ledger) -> None:
    sequence = entry().sequence
    later = str(int(sequence) + 2).zfill(27)
    kept: dict[str, dict[str, Any]] = {
        "later": {"sequence": later},
        "other segment": {"segment": "8"},
        "other integration": {"integration": "x"},
        "name": {"event_type": "segment_upsert"},
        "malformed": {"integration": None, "segment": None, "event_type": None},
    }
    cleared = Cleared("crm", "7", str(int(sequence) + 1).zfill(27), NOON)
    records = [entry(uid=uid, **changes) for uid, changes in kept.items()]
    records += [entry(uid="open"), entry(uid="on its way"), entry(uid="done")]
    ledger.write([*records, *resolved("on its way", "retried"), *resolved("done", "delivered"), cleared])
    ledger.write([cleared])
    superseded = dict.fromkeys(("open", "on its way"), "superseded")
    assert states(ledger) == dict.fromkeys(kept, "open") | superseded | {"done": "delivered"}


@pytest.mark.parametrize("code", ["clear", "resync"])
def test_what_superseded_an_entry_is_said(ledger: Ledger, code: str) -> None:
    later = str(int(entry().sequence) + 1).zfill(27)
    ledger.write([entry(uid="old"), Cleared("crm", "7", later, NOON, code)])
    (row,) = rows(ledger, quarantine)
    assert (row["state"], row["note"]) == ("superseded", code)


def test_what_is_unknown_changes_nothing(ledger: Ledger) -> None:
    ledger.write([entry(uid="a"), *resolved("b", "dropped")])
    assert states(ledger) == {"a": "open"}


def test_purging_leaves_what_is_open_on_its_way_or_young(ledger: Ledger) -> None:
    uids = ("open", "way", "young", "old", "pushed again")
    ledger.write([entry(uid=uid, integration=None if uid == "pushed again" else "crm") for uid in uids])
    ledger.write([*resolved("way", "retried"), *resolved("old", "dropped"), *resolved("pushed again", "retried")])
    ledger.write([Resolved("young", "dropped", NOON + 10)])
    with ledger.writing() as writer:
        assert writer.purge(NOON + 5, 1) == 1
        assert writer.purge(NOON + 5, 10) == 1
        assert writer.purge(NOON + 5, 10) == 0
    assert set(states(ledger)) == {"open", "way", "young"}
