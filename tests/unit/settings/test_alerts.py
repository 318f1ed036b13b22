"""`[alerts]` as it is written, and as it is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workers.errors import SettingsError
from workers.settings import load
from workers.settings.alerts import load_alerts

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[alerts]
webhook = "${HOOK}"
webhook_secret = "${HOOK_SECRET}"
smtp = "smtps://segsync@mail.example:465"
smtp_password = "${MAIL}"
from = "segsync@example.com"
to = ["ops@example.com"]
command = ["/usr/local/bin/page", "segsync"]
every = "30s"
"""
ENVIRON = {"HOOK": "https://hooks.example/x", "HOOK_SECRET": "s", "MAIL": "m"}


def test_all_of_it_is_filled_in_where_it_is_sent_from(tmp_path: Path) -> None:
    (tmp_path / "segsync.toml").write_text(GOOD)
    found = load_alerts(tmp_path / "segsync.toml", ENVIRON)
    assert (found.webhook, found.webhook_secret, found.smtp_password) == ("https://hooks.example/x", "s", "m")
    assert (found.sender, found.to, found.every) == ("segsync@example.com", ("ops@example.com",), 30.0)
    assert "hooks.example" not in repr(found)


def test_whom_a_variable_leaves_out_is_not_told(tmp_path: Path) -> None:
    """A deployment without a webhook said so by its default, and nobody was told by the command either."""
    file = tmp_path / "segsync.toml"
    file.write_text(GOOD.replace("}", ":-}").replace("smtps://segsync@mail.example:465", "${SMTP:-}"))
    found = load_alerts(file, {})
    assert (found.webhook, found.smtp, found.command) == ("", "", ("/usr/local/bin/page", "segsync"))
    file.write_text('[alerts]\nwebhook = "${HOOK:-}"\n')
    with pytest.raises(SettingsError, match="names nobody to tell"):
        load_alerts(file, {})
    file.write_text('[alerts]\nwebhook = ""\n')
    with pytest.raises(SettingsError, match=r"alerts\.webhook: is empty"):
        load_alerts(file, {})


def test_elsewhere_it_is_checked_without_its_secrets_and_not_published(tmp_path: Path) -> None:
    (tmp_path / "segsync.toml").write_text(GOOD)
    assert "mail.example" not in load(tmp_path / "segsync.toml", {}).published()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('webhook = "ftp://x/y"', "alerts.webhook: is none that is known; expected a URL that begins with https://"),
        ('webhok = "https://x/y"', "alerts.webhok: unknown key; did you mean 'webhook'?"),
        ('smtp = "smtp://mail:587"', "alerts.from: is missing; expected an address"),
        ('smtp = "smtp://mail:587"\nfrom = "a@x.example"\nto = []', "alerts.to: is empty: no mail would be sent"),
        ('command = "page"', "alerts.command: 'page' is text; expected a program and its arguments"),
        ('every = "1ms"', "alerts.every: '1ms' is out of range; expected a duration from 1s to 1h"),
    ],
)
def test_each_mistake_is_said(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "segsync.toml").write_text(f"[alerts]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "segsync.toml", {})
    assert said in str(caught.value)
