"""`[console]`: who may use it, and where it may listen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.configuration_page import ARGON2
from workers.errors import SettingsError
from workers.settings import load
from workers.settings.console import ConsoleSettings, May, Role, hash_of_token, is_loopback, load_console, parse_listen

if TYPE_CHECKING:
    from pathlib import Path

GOOD = f"""
[console]
listen = "0.0.0.0:8080"
edit = false
hours = 1
[console.users.ann]
password = "${{ANN}}"
role = "editor"
[console.users."bob@example.com"]
password = "{ARGON2}"
[console.tokens.shop]
hash = "{hash_of_token("t0ken")}"
may = ["push", "read"]
[console.proxy]
header = "X-User"
addresses = ["10.0.0.0/8"]
"""


def read(folder: Path, text: str) -> ConsoleSettings:
    (folder / "segsync.toml").write_text(text)
    return load_console(folder / "segsync.toml", {"ANN": ARGON2})


def test_all_of_it_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert (found.host, found.port, found.edit, found.hours, found.is_open) == ("0.0.0.0", 8080, False, 1, False)  # noqa: S104 - what stands there
    assert found.users["ann"].password_hash == ARGON2
    assert [user.role for user in found.users.values()] == [Role.EDITOR, Role.VIEWER]
    token = found.token("t0ken")
    assert token is not None
    assert token.may == {May.PUSH, May.READ}
    assert found.token("another") is None
    assert found.proxy is not None
    assert (found.proxy.is_one("10.1.2.3"), found.proxy.is_one("11.1.2.3"), found.proxy.is_one("x")) == (1, 0, 0)


def test_no_hash_shows_and_nothing_of_it_is_published(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert "argon2" not in repr(found)
    assert "sha256" not in repr(found)
    assert "X-User" not in load(tmp_path / "segsync.toml", {}).published()


def test_without_it_only_this_host_may_come(tmp_path: Path) -> None:
    found = read(tmp_path, 'namespace = "x"')
    assert (found.host, found.port, found.is_open) == ("127.0.0.1", 8080, True)
    assert is_loopback(found.host)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'listen = "0.0.0.0:80"',
            "console.listen: '0.0.0.0' can be reached from other hosts; expected [console",
        ),
        ('listen = "8080"', "console.listen: '8080' is no address; expected HOST:PORT, as in 127.0.0.1:8080"),
        ('[users.ann]\nrole = "editor"', "console.users.ann.password: is missing; expected what `segsync console"),
        ('[users.ann]\npassword = "hunter22hunter22"', "console.users.ann.password: is none that segsync makes"),
        (
            f'[users.ann]\npassword = "{ARGON2}"\nrole = "editer"',
            "console.users.ann.role: 'editer' is no role; did",
        ),
        (f'[users."a b"]\npassword = "{ARGON2}"', "console.users.a b: cannot be a name; expected 1 to 100 of letters"),
        ('[tokens.t]\nmay = ["push"]', "console.tokens.t.hash: is missing; expected what `segsync console token`"),
        ('[tokens.t]\nhash = "abc"\nmay = ["push"]', "console.tokens.t.hash: is none that segsync makes"),
        (f'[tokens.t]\nhash = "{hash_of_token("x")}"', "console.tokens.t.may: is missing; expected some of read"),
        (f'[tokens.t]\nhash = "{hash_of_token("x")}"\nmay = ["psh"]', "may[0]: 'psh' is nothing that a token may; did"),
        ('[proxy]\nheader = "X-User"', "console.proxy.addresses: is missing: the header of anybody would be believed"),
        ('[proxy]\nheader = "X User"\naddresses = ["::1"]', "console.proxy.header: 'X User' is no name of a header"),
        ('[proxy]\nheader = "X"\naddresses = ["here"]', "console.proxy.addresses[0]: 'here' is no address; expected"),
        ("hours = 0", "console.hours: 0 is out of range; expected an integer from 1 to 720"),
        ("edti = true", "console.edti: unknown key; did you mean 'edit'?"),
    ],
)
def test_mistakes_are_named_by_check_already(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text("[console]\n" + re.sub(r"^\[(?=users|tokens|proxy)", "[console.", lines, flags=re.MULTILINE))
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    assert said in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:80", ("::1", 80)),
        (":80", ("127.0.0.1", 80)),
        ("h:65536", None),
        ("h:8\n", None),
    ],
)
def test_addresses(text: str, found: tuple[str, int] | None) -> None:
    assert parse_listen(text) == found
