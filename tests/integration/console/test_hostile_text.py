"""What people and producers name things is written out on a page, where a reader or a terminal would obey it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.console.entering import Person, console_of, users
from tests.integration.place import integration
from workers.console.rendering import render
from workers.control.drain import drain

if TYPE_CHECKING:
    from tests.integration.place import Place

HOSTILE = "red\x1b[31m\u202ecba\x9b2J"
SHOWN = "red\\x1b[31m\\u202ecba\\x9b2J"


def test_of_a_profile_in_the_quarantine_nothing_is_obeyed(place: Place) -> None:
    app = console_of(place, users(bob="operator"))
    runtime = place.publish(integration(timeout="100ms"))
    with place.producer() as producer:
        producer.add(7, [{"_id": HOSTILE, "email": "ann@example.com"}])
    place.let_timeouts_pass()
    drain(runtime)
    bob = Person(app)
    assert bob.sign_in("bob").status_code == 303
    for path in ("/quarantine", "/quarantine/1"):
        page = bob.client.get(path).text
        assert SHOWN in page, path
        assert HOSTILE not in page, path
    asked = {"token": bob.token("/erase"), "ids": HOSTILE, "values": "", "reason": ""}
    found = bob.client.post("/erase/look", data=asked).text
    assert f"\n{HOSTILE}</textarea>" in found, "what the form sends back next is what was found"


def test_what_a_form_sends_back_is_as_it_was() -> None:
    page = render("login.html", token="t", to="/", wrong=HOSTILE, name=HOSTILE)
    assert f'name="name" value="{HOSTILE}"' in page
    assert f'role="alert">{SHOWN}</p>' in page
