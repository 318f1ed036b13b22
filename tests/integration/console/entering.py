"""A console with users, and people who sign in to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from starlette.testclient import TestClient

from tests.integration.console.browser import TOKEN
from tests.integration.place import integration
from workers.console.opening import opened
from workers.monitoring.consumers import Consumers
from workers.settings.console import hash_of_token, load_console

if TYPE_CHECKING:
    import httpx2
    from starlette.types import ASGIApp

    from tests.integration.place import Place

PASSWORD = "correct horse battery"


@cache
def cheap_hash(password: str = PASSWORD) -> str:
    """One that takes no time to look at; what is not a test's takes 64 MiB."""
    return PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(password)


def users(*names: str, **roles: str) -> str:
    """Tables of users, viewers but for `roles`."""
    everybody = dict.fromkeys(names, "viewer") | roles
    return "".join(
        f'[console.users.{name}]\npassword = "{cheap_hash()}"\nrole = "{role}"\n' for name, role in everybody.items()
    )


def token_table(name: str, text: str, *may: str) -> str:
    """The table of a token."""
    listed = ", ".join(f'"{each}"' for each in may)
    return f'[console.tokens.{name}]\nhash = "{hash_of_token(text)}"\nmay = [{listed}]\n'


def console_of(place: Place, console: str, *integrations: str) -> ASGIApp:
    """The console of a place whose file has `console` in it, as `segsync console` opens it."""
    if not place.file.exists():
        place.publish(*(integrations or (integration(),)))
    base = place.file.read_text().partition("[console")[0]
    place.file.write_text(base + console)
    return opened(load_console(place.file), "me@here", lambda: Consumers(1, {}), path=place.file)


class Person:
    """Somebody with a browser, who comes from an address."""

    def __init__(self, app: ASGIApp, address: str = "192.0.2.1", **headers: str) -> None:
        self.client = TestClient(
            app,
            base_url="http://127.0.0.1",
            follow_redirects=False,
            client=(address, 1),
            headers={"accept": "text/html", **headers},
        )

    def token(self, path: str = "/login") -> str:
        """Of the form on a page."""
        found = TOKEN.search(self.client.get(path).text)
        assert found, path
        return found[1]

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx2.Response:
        fields = {"token": self.token(), "name": name, "password": password} | fields
        return self.client.post("/login", data=fields)
