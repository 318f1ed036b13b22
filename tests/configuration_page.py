"""The reference in docs/configuration.md, made from the code: `python -m tests.configuration_page` writes it.

The page's own example is read with a table that notes each question it is asked: the key, its kind, what holds where it
is left out, and its range. So no key, default or range of the page can lag behind the code.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.repository import ROOT
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.sql.vendors import VENDORS
from workers.errors import SettingsError
from workers.settings import ad_connectors, load, load_local
from workers.settings.alerts import load_alerts
from workers.settings.console import load_console
from workers.settings.spelling import spell_duration
from workers.settings.table import NAME_RULE, TomlTable
from workers.settings.urls import REDIS_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = ROOT / "docs" / "configuration.md"
ARGON2 = f"$argon2id$v=19$m=65536,t=3,p=4${22 * 'a'}${43 * 'a'}"
BEGIN, END = "<!-- made by tests/configuration_page.py: begin -->\n", "<!-- end -->\n"
DEFAULTS = {
    "namespace": '`"segsync"`',
    "redis.url": "`SEGSYNC_REDIS_URL`, else `redis://localhost:6379/0`",
    "broker.url": "[redis]",
    "ledger.url": "`SEGSYNC_LEDGER_URL`, else `sqlite:///segsync.db`",
    "ledger.keep": "for ever",
    "intake.default_database": '`"main"`',
    "console.listen": '`"127.0.0.1:8080"`',
    "console.hosts": "any, where users are named; else names of the own host",
    "console.users.*.password": "must be there, unless users come through a proxy",
    "console.users.*.role": '`"viewer"`',
    "console.tokens.*.hash": "must be there",
    "console.tokens.*.may": "must be there",
    "console.proxy.addresses": "must be there, with a proxy",
    "console.proxy.role": "nobody else comes in",
    "intake.max": "as many as Redis holds",
    "connectors.*.timezone": '`"UTC"`',
    "integrations.*.name": "the key",
    "integrations.*.key": "the field that `remove` uses; for an ad account it must be there",
    "connectors.*.platform": "a database",
    "connectors.*.secret": "`SEGSYNC_SECRET`",
    "connectors.*.store.url": "the ledger's database",
    "redis.master": "must be there, with sentinels",
    "broker.master": "must be there, with sentinels",
    "connectors.*.allow": "no procedures",
    "connectors.*.rate": "any number",
    "integrations.*.batch.size": "must be there, where there is a batch; without one, one profile at a time",
    "integrations.*.scope.segments": 'one of segments (ids or `"all"`), groups and tags must be there',
    "integrations.*.scope.groups": "as for segments",
    "integrations.*.scope.tags": "as for segments",
    "integrations.*.scope.database": "must be there, unless segments are ids",
    "integrations.*.ordering": "the queries and the table tell",
    "integrations.*.max_backlog": "any number",
    "sources.*.url": "must be there, or `command`",
    "sources.*.members": "must be there, for a database",
    "connectors.*.url": "must be there; for an ad account, the platform's own",
    "alerts.from": "must be there, with `smtp`",
    "alerts.to": "must be there, with `smtp`",
    "sources.*.headers.*": "none",
    "integrations.*.verify": "when somebody asks",
    "integrations.*.window": "at any time",
    "integrations.*.max_lag": "a minute over the batch's timeout",
}
"""What holds where the code has no plain value: said once, here."""
KINDS = {
    "connectors.*.consent": '`"granted"` or `"denied"`',
    "connectors.*.rate": 'text, as in `"500/s"`',
    "integrations.*.key": "text, or a list",
    "integrations.*.scope.segments": '`"all"`, or a list',
    "integrations.*.window": 'text, as in `"22:00-06:00"`',
    "sources.*.segments": "text, or a list of a program",
}
"""What may stand there, where that is more than its type."""
TAKEN = {
    "sources.*.command": ("a list", "must be there, or `url`"),
    "sources.*.first": ("a whole number, or text", "must be there, with `{after}`"),
}
"""Keys whose values are looked at as they are, and so asked for by no kind."""
BESIDE = re.compile(r"include|integrations\.\*\.(use|queries\.members|fields\..+)|query_sets.*")
"""Keys that the page tells beside the table."""
OF_PLATFORMS = {each.name for platform in PLATFORMS.values() for each in platform.settings}

Row = tuple[str, str, str]


def key_path(table: TomlTable, key: str) -> str:
    """The place of a key, with * for names that the user chooses."""
    own = r"^(connectors|integrations|query_sets|sources|console\.users|console\.tokens)\.[^.]+"
    return re.sub(r"\.headers\.[^.]+", ".headers.*", re.sub(own, r"\1.*", table.at(key)))


def questions() -> dict[str, tuple[str, str]]:
    """Kind and default of each key that is asked for, by its path, in the order of the questions."""
    asked: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()

    def noting(name: str, told: Callable[..., tuple[str, str]]) -> Any:
        original = getattr(TomlTable, name)

        def method(self: TomlTable, key: str, *arguments: Any, **more: Any) -> Any:
            asked.setdefault(key_path(self, key), told(*arguments, **more))
            return original(self, key, *arguments, **more)

        return patch.object(TomlTable, name, method)

    take = TomlTable.take

    def taking(self: TomlTable, key: str) -> object | None:
        taken.add(key_path(self, key))
        return take(self, key)

    patches = [noting(name, told) for name, told in ASKED.items()]
    patches.append(patch.object(TomlTable, "take", taking))
    for each in patches:
        each.start()
    try:
        _read_all()
    finally:
        for each in patches:
            each.stop()
    tables = {path.rpartition(".")[0] for path in asked}
    untold = {path for path in taken - asked.keys() - TAKEN.keys() - tables if not BESIDE.fullmatch(path)}
    assert not untold, f"say in TAKEN what may stand there: {untold}"
    return asked | TAKEN


def _whole(default: int | None, low: int) -> str:
    if default is None:
        return "must be there"
    return f"`{default}`" if default >= low else ""


ASKED: dict[str, Callable[..., tuple[str, str]]] = {
    "name": lambda default: (NAME_RULE, f'`"{default}"`'),
    "text": lambda *_, **__: ("text", "must be there"),
    "optional_text": lambda *_, **__: ("text", ""),
    "flag": lambda *, default: ("true or false", f"`{str(default).lower()}`"),
    "whole": lambda default, low, high: (f"{low:,} to {high:,}", _whole(default, low)),
    "seconds": lambda default, low, high: (
        f"{spell_duration(low)} to {spell_duration(high)}",
        f'`"{spell_duration(default)}"`' if default else "",
    ),
    "choice": lambda names: (" or ".join(f'`"{name}"`' for name in names), f'`"{names[0]}"`'),
    "list_of": lambda *_, **__: ("a list", ""),
}
"""What each way to ask for a key says of it: its kind, and what holds where it is left out."""


def examples(page: str) -> list[str]:
    """The page's own configurations: with databases, and with an ad account."""
    return re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def _read_all() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "crm").mkdir()
        (folder / "integrations").mkdir()
        (folder / "integrations" / "none.toml").write_text("[integrations]\n")
        (folder / "crm" / "delete.sql").write_text("DELETE FROM mysegment WHERE segId = {segment_id}")
        file = folder / "segsync.toml"
        databases, ads = examples(PAGE.read_text(encoding="utf-8"))
        file.write_text(databases, encoding="utf-8")
        environ = dict.fromkeys(re.findall(r"\$\{(\w+)", file.read_text()), "https://x.example")
        environ |= {"ANN_HASH": ARGON2, "SHOP_HASH": f"sha256:{64 * '0'}"}
        environ |= {"SEGSYNC_REDIS_URL": "redis://localhost", "SEGSYNC_LEDGER_URL": "sqlite:///segsync.db"}
        load(file, environ)
        load_alerts(file, environ)
        load_console(file, environ)
        file.write_text(file.read_text().replace('segments = "all"', "segments = [7]"), encoding="utf-8")
        load(file, environ)
        _read_ads(file, ads)
        # Keys that exclude each other cannot stand in one example.
        for local in ('[redis]\nsentinels = ["h:1"]\nmaster = "m"\n', '[broker]\nurl = "redis://h"\n'):
            file.write_text(local)
            load_local(file, environ)


def _read_ads(file: Path, text: str) -> None:
    """Each platform in turn: they want different settings. What is missing for one is no matter here."""
    with patch.object(ad_connectors, "BUILT", frozenset(PLATFORMS)):
        for platform in PLATFORMS:
            file.write_text(text.replace("yandex-audiences", platform), encoding="utf-8")
            with suppress(SettingsError):
                load(file, {})


def rows() -> list[Row]:
    """Key path, kind and what holds where it is left out; by key path."""
    found = []
    for path, (kind, default) in sorted(questions().items()):
        if path == "include" or ".queries." in path or ".fields" in path:
            continue  # told beside the table
        left_out = DEFAULTS.get(path) or default or "none"
        if _is_of_platform(path):
            left_out = "as its platform says, below"
        found.append((path, KINDS.get(path, kind), left_out))
    return found


def _is_of_platform(path: str) -> bool:
    """Whether it is a setting that some platforms want, and others do not know."""
    before, _, name = path.rpartition(".")
    return before == "connectors.*" and name.removesuffix("_file") in OF_PLATFORMS


def made() -> str:
    """The reference, as it must stand in the page."""
    lines = ["| key | value | left out |", "|---|---|---|"]
    lines += [f"| `{path}` | {kind} | {default} |" for path, kind, default in rows()]
    lines += ["", "| URL | options behind `?` |", "|---|---|"]
    for scheme, allowed in REDIS_OPTIONS.items():
        options = [f"`{name}`" + _choices(values) for name, values in allowed.items()]
        lines.append(f"| `{scheme}://` | {', '.join(options) or 'none'} |")
    for vendor in VENDORS.values():
        options = [f"`{name}`" + _choices(values) for name, values in vendor.options.items()]
        lines.append(f"| `{vendor.scheme}://` | {', '.join(options) or 'none'} |")
    lines += ["", "| platform | settings of the connector | fields of the integration |", "|---|---|---|"]
    for platform in PLATFORMS.values():
        settings = [f"`{each.name}`" + ("" if each.required else " (optional)") for each in platform.settings]
        lines.append(
            f"| `{platform.key}` | {', '.join(settings)} | {', '.join(f'`{each}`' for each in platform.fields)} |"
        )
    return "\n".join(lines) + "\n"


def _choices(values: tuple[str, ...]) -> str:
    return f" ({', '.join(values)})" if values else ""


def written(page: str) -> str:
    """The page with the reference made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + made() + END + tail


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
