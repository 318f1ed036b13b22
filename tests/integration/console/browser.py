"""What a browser does without a screen: keeps cookies, fills in forms, presses buttons."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

if TYPE_CHECKING:
    import httpx2
    from starlette.types import ASGIApp

    from workers.console.routes import Act
    from workers.console.visit import Visit

TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')


class Recorded:
    """Acts as (name, viewer, outcome)."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str, str]] = []

    def begin(self, visit: Visit, act: Act) -> None:
        """Before it: a test looks at what came of it."""

    def write(self, visit: Visit, act: Act, outcome: str) -> None:
        self.all.append((act.name, visit.viewer.name, outcome))


class Browser:
    """Looks at a console as somebody with a role."""

    def __init__(self, app: ASGIApp, role: str = "editor") -> None:
        self.client = TestClient(app, base_url="http://127.0.0.1", headers={"x-role": role}, follow_redirects=False)

    def get(self, path: str, code: int = 200, **headers: str) -> str:
        """A page's HTML."""
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == code, text_of(answer.text)
        return answer.text

    def post(self, on: str, path: str, **fields: str | list[str]) -> httpx2.Response:
        """What follows from a form that stands on the page `on`."""
        found = TOKEN.search(self.get(on))
        assert found, f"there is no form on {on}"
        return self.client.post(path, data={"token": found[1], **fields})

    def press(self, on: str, path: str, **fields: str | list[str]) -> str:
        """The same, and the text of the page after it."""
        answer = self.post(on, path, **fields)
        assert answer.status_code == 303, text_of(answer.text)
        return text_of(self.get(answer.headers["location"]))


def text_of(html: str) -> str:
    """What stands on a page, without tags, blanks as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
