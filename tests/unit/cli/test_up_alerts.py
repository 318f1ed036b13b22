"""`segsync up` tells somebody where the file says whom, and nobody where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from workers.cli.commands import up
from workers.settings import load

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[redis]
url = "redis://localhost:1/0"
[connectors.crm]
url = "sqlite:///t.db"
{alerts}
"""


class Started:
    """Notes what is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.names.append(name)


@pytest.mark.parametrize(
    ("alerts", "starts"),
    [
        ("", False),
        ("[alerts]\nquarantine = 500", False),  # what `status` goes by: whoever is to tell would end at once, for ever
        ('[alerts]\nwebhook = "${NO_SUCH_HOOK:-}"\ncommand = ["${NO_SUCH_HOOK:-}"]', False),
        ('[alerts]\nwebhook = "${NO_SUCH_HOOK}"', True),  # whoever is started says which variable is missing
        ('[alerts]\nwebhook = "https://hooks.example.com/${TOKEN}"', True),
    ],
)
def test_alerts_are_started_where_the_file_has_them(
    alerts: str, starts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text(FILE.format(alerts=alerts))
    monkeypatch.setattr(up, "check_redis", lambda *_: None)
    monkeypatch.setattr(up, "_apply", lambda *_: None)
    started: Any = Started(tmp_path)
    up._start(started, load(file), console=False)
    assert ("start_alerts" in started.names) is starts
    assert started.names[-1] == "watch"
