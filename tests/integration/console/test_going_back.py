"""Going back to an earlier revision: through the console and the API to no more than may be published there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.console.entering import Person, console_of, token_table, users
from tests.integration.console.test_api import Program
from tests.integration.place import caller, integration
from workers.control import going_back
from workers.settings import revision
from workers.settings.entrusted import refuse_not_entrusted
from workers.settings.revision import Superseded

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tests.integration.place import Place

TOKEN = token_table("changer", "changer-text", "edit")
COMMAND = '[sources.other]\ncommand = ["/bin/true", "{segment_id}"]\n'
SECRET = '[connectors.pg]\nurl = "postgresql://u@one.example/d"\npassword = "${OTHER_SECRET}"\n'
LED = '[connectors.pg]\nurl = "postgresql://u@two.example/d"\npassword = "${OTHER_SECRET}"\n'
KEPT = '[connectors.pg]\nurl = "postgresql://u@one.example/d"\npassword = "${OTHER_SECRET}"\nparallelism = 2\n'
PLAIN = '[sources.other]\nurl = "https://one.example/{segment_id}"\n'


def applied(place: Place) -> int:
    found = revision.published(place.redis, place.keys)
    assert found is not None
    return found.revision


def reached(place: Place, first: str, then: str) -> ASGIApp:
    """A console of an installation with `first` in revision 1 and `then` in revision 2."""
    place.publish(integration(), first)
    place.publish(integration(timeout="3s"), then)
    return console_of(place, users(ann="editor") + TOKEN)


def editor(app: ASGIApp) -> Person:
    ann = Person(app)
    ann.sign_in("ann")
    return ann


def back(ann: Person, number: int, basis: int) -> Any:
    told = {"token": ann.token("/find"), "basis": str(basis)}
    return ann.client.post(f"/revisions/{number}/rollback", data=told)


@pytest.mark.parametrize(
    ("first", "then", "where"),
    [
        (COMMAND, "", "sources.other.command"),
        (COMMAND, PLAIN, "sources.other.command"),
        (SECRET, "", "connectors.pg.password"),
        (LED, SECRET, "connectors.pg.url"),
    ],
)
def test_nobody_brings_back_by_a_number_what_only_the_file_may_say(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    first: str,
    then: str,
    where: str,
) -> None:
    monkeypatch.setenv("OTHER_SECRET", "a secret")
    app = reached(place, first, then)
    for dry in (True, False):
        told = Program(app, "changer-text").post("/api/revisions/1/rollback", 400, dry_run=dry)
        assert where in [each["where"] for each in told["mistakes"]]
        assert "by `segsync rollback 1`" in told["error"]
    ann = editor(app)
    answer = back(ann, 1, 2)
    assert (answer.status_code, where in answer.text) == (400, True)
    assert applied(place) == 2
    page = ann.client.get("/revisions/1").text
    assert "/revisions/1/rollback" not in page
    assert "Nobody goes back to it here" in page
    assert where in page
    done = caller(place, monkeypatch, capsys)("rollback", "1", "--yes")
    assert (done.returncode, applied(place)) == (0, 3), done.stderr


@pytest.mark.parametrize(("first", "then"), [("", COMMAND), (KEPT, SECRET), ("", "")])
def test_all_else_comes_back(place: Place, monkeypatch: pytest.MonkeyPatch, first: str, then: str) -> None:
    monkeypatch.setenv("OTHER_SECRET", "a secret")
    app = reached(place, first, then)
    ann = editor(app)
    page = ann.client.get("/revisions/1").text
    assert ("Nobody goes back" in page, "/revisions/1/rollback" in page) == (False, True)
    answer = back(ann, 1, 2)
    assert (answer.status_code, applied(place)) == (303, 3), answer.text
    assert Program(app, "changer-text").post("/api/revisions/1/rollback", basis=3)["changed"] is False


def test_the_page_says_what_is_in_the_way_instead_of_a_button_that_is_refused(place: Place) -> None:
    """An integration that the earlier revision has not, and that owes something."""
    place.publish(integration())
    place.publish(integration(), integration("late"))
    place.redis.hset(place.keys.integration("late"), "backlog", 3)
    app = console_of(place, users(ann="editor", eve="viewer"))
    page = editor(app).client.get("/revisions/1").text
    assert "late" in page.partition("Nobody goes back to it here: ")[2]
    assert "/revisions/1/rollback" not in page
    eve = Person(app)
    eve.sign_in("eve")
    assert "Nobody goes back" not in eve.client.get("/revisions/1").text  # she may not anyhow


def test_what_was_compared_with_another_revision_is_not_published(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the command out between the look and the publication."""
    place.publish(integration(), COMMAND)
    runtime = place.publish(integration(timeout="3s"), COMMAND)

    def meanwhile(*given: Any) -> int:
        found = refuse_not_entrusted(*given)
        place.publish(integration(timeout="3s"))
        return found

    monkeypatch.setattr(going_back, "refuse_not_entrusted", meanwhile)
    with pytest.raises(Superseded, match="revision 3 is applied, and this was made from 2"):
        going_back.plan_back(place.redis, place.keys, runtime.local, 1)
