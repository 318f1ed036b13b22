"""What was applied is kept: `revisions`, `diff`, `rollback`; and `apply` only where one may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.place import integration
from workers.control.drain import drain
from workers.settings import revision, revisions

if TYPE_CHECKING:
    import pytest

    from tests.integration.place import Call, Place


def applied(place: Place) -> int:
    found = revision.published(place.redis, place.keys)
    return found.revision if found else 0


def test_who_applied_what_and_when_is_kept(place: Place, call: Call) -> None:
    place.publish(integration())
    place.publish(integration(timeout="5s"))
    place.publish(integration(timeout="5s"))
    second, first = json.loads(call("revisions", "--json").stdout)
    assert (second["revision"], second["changed"]) == (2, ["~ integrations.crm.batch.timeout"])
    assert (first["revision"], first["changed"]) == (1, [])
    assert "@" in first["by"]
    assert "integrations.crm.batch.timeout" in call("revisions").stdout.replace("\n", "").replace(" ", "")


def test_before_anything_is_applied_that_is_said(place: Place, call: Call) -> None:
    place.write(integration())
    done = call("revisions")
    assert (done.returncode, done.stdout) == (
        0,
        "no revision is kept yet; the next `segsync apply` keeps one\n",
    )
    assert json.loads(call("revisions", "--json").stdout) == []


def test_no_more_than_the_last_are_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "KEPT", 3)
    for seconds in range(1, revisions.KEPT + 3):
        place.publish(integration(timeout=f"{seconds}s"))
    kept = [each.number for each in revisions.history(place.redis, place.keys)]
    assert kept == list(range(revisions.KEPT + 2, 2, -1))


def test_the_file_is_compared_with_what_is_applied(place: Place, call: Call) -> None:
    place.publish(integration())
    assert (call("diff").returncode, "no difference" in call("diff").stdout) == (0, True)
    place.publish(integration(timeout="5s"))
    place.write(integration(timeout="7s"))
    done = call("diff")
    assert (done.returncode, done.stdout) == (1, '~ integrations.crm.batch.timeout\n    -"5s"\n    +"7s"\n')
    assert '-"100ms"' in call("diff", "1").stdout
    assert call("diff", "2", "1").stdout.endswith('-"5s"\n    +"100ms"\n')
    done = call("diff", "9")
    assert (done.returncode, done.stderr) == (2, "segsync: no revision 9; expected one of 1 to 2\n")


def test_an_earlier_revision_is_applied_again_as_a_new_one(place: Place, call: Call) -> None:
    place.publish(integration())
    runtime = place.publish(integration(table="missing"))
    place.add("7", 10)
    done = call("rollback", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "revision 3 is applied" in done.stdout
    assert "stays as it is" in done.stdout
    (newest, *_) = revisions.history(place.redis, place.keys)
    assert (newest.number, newest.note) == (3, "rollback to 1")
    drain(runtime)
    assert len(place.rows()) == 10


def test_a_rollback_leaves_nothing_behind_that_is_owed(place: Place, call: Call) -> None:
    place.publish(integration())
    runtime = place.publish(integration(), integration("erp"))
    place.add("7", 1)
    runtime.route("token", 5)
    done = call("rollback", "1", "--yes")
    assert (done.returncode, "--drain erp" in done.stderr, applied(place)) == (1, True, 2)


def test_a_dry_run_publishes_nothing(place: Place, call: Call) -> None:
    place.publish(integration())
    place.write(integration(timeout="5s"))
    done = call("apply", "--dry-run")
    assert done.returncode == 0
    assert '-"100ms"\n    +"5s"\n' in done.stdout
    assert "nothing was published" in done.stdout
    assert applied(place) == 1


def test_only_what_the_target_agrees_to_is_published(place: Place, call: Call) -> None:
    place.publish(integration())
    place.write(integration(table="missing"))
    done = call("apply", "--connect", "--yes")
    assert (done.returncode, "a target does not agree" in done.stderr, applied(place)) == (1, True, 1)
    place.write(integration(timeout="5s"))
    assert (call("apply", "--connect", "--yes").returncode, applied(place)) == (0, 2)
