"""`segsync console password` and `token`: what they print can be put into the file, and holds no secret."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from workers.cli.commands import console_secrets as console
from workers.errors import WrongUsage
from workers.settings.console import May, load_console
from workers.settings.passwords import is_password

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "correct horse battery"


def test_a_password_is_asked_for_and_only_its_hash_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))
    console.password("ann@example.com", "operator")
    printed = capsys.readouterr().out
    assert PASSWORD not in printed
    (tmp_path / "segsync.toml").write_text(printed)
    user = load_console(tmp_path / "segsync.toml", {}).users["ann@example.com"]
    assert user.role.word == "operator"
    assert is_password(PASSWORD, user.password_hash)
    assert not is_password(PASSWORD + " ", user.password_hash)
    assert not is_password("nobody has this one", None)


def test_a_token_is_shown_once_beside_what_goes_into_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.token("shop", ["push", "push"])
    printed = capsys.readouterr()
    text = printed.err.split()[-1]
    assert text not in printed.out
    (tmp_path / "segsync.toml").write_text(printed.out)
    token = load_console(tmp_path / "segsync.toml", {}).token(text)
    assert token is not None
    assert token.name == "shop"
    assert token.may == frozenset({May.PUSH})


@pytest.mark.parametrize(
    ("typed", "role", "said"),
    [
        ("short\n", "viewer", "the password has 5 characters; expected 10 to 1,000"),
        (PASSWORD, "admin", "--role 'admin': is no role; expected one of editor, operator, viewer"),
    ],
)
def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, typed: str, role: str, said: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(WrongUsage, match=said):
        console.password("ann", role)


def test_a_token_that_may_what_there_is_not_is_refused() -> None:
    with pytest.raises(WrongUsage, match="--may 'psh': is nothing that a token may; did you mean 'push'"):
        console.token("shop", ["psh"])
