"""From a file, or from an applied revision, to settings that can be worked by."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.errors import Mistake, SettingsError
from workers.settings.ad_integrations import with_on_delete
from workers.settings.alerts import check_alerts
from workers.settings.compiling import Compiler
from workers.settings.connectors import AnyConnector, read_connectors
from workers.settings.console import check_console
from workers.settings.document import FORMAT, canonical, digest_of, read_document
from workers.settings.feeds import FeedSettings, written_secrets
from workers.settings.files import NOTHING
from workers.settings.integrations import read_integrations
from workers.settings.ledger_place import read_ledger
from workers.settings.local import LocalSettings, read_local
from workers.settings.own_databases import shared
from workers.settings.own_files import own_files_used
from workers.settings.refusals import refused, refused_ledger
from workers.settings.source import LOCAL, SettingsSource, open_source
from workers.settings.sources import AnySource, read_sources_of, without_segment
from workers.settings.table import TomlTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.integrations import Integration
    from workers.settings.files import Texts

DEFAULT_DATABASE = "main"
MOST_EVENTS = 1_000_000_000
"""Events that `[intake] max` may be: more than any Redis holds is a slip of the pen."""
_NEVER = (*LOCAL, "include", "query_sets")
"""Keys of a file that are not published."""
_RESERVED = {
    "source": "is reserved, not built yet; leave it out",
    "max_lag": "is reserved, not built yet; leave it out",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration, checked.

    ledger_url        with its password, for SQLAlchemy's create_engine; never to be logged
    ledger_keep       seconds that the ledger keeps single deliveries; None: for ever
    default_database  where a segment is that nobody has described
    max_intake        events that may wait in the intake; None: as many as Redis holds
    warnings          what is not wrong and deserves a word
    digest            SHA-256 of `published()`, in hexadecimal: equal for equal configurations
    sources           where segments can be read from, by profile database
    files             all that it was read from; of an applied one none
    """

    local: LocalSettings
    ledger_url: str = field(repr=False)
    ledger_keep: float | None
    default_database: str
    max_intake: int | None
    connectors: Mapping[str, AnyConnector]
    integrations: Mapping[str, Integration]
    warnings: list[Mistake]
    digest: str
    sources: Mapping[str, AnySource]
    _published: str = field(repr=False)
    files: tuple[Path, ...] = ()

    def published(self) -> str:
        """Canonical JSON of everything but what each process reads for itself, secrets unresolved.

        Includes are merged, query files inlined, query sets applied. Variables are filled in except in the
        addresses and passwords of connectors and ledger, so that all processes decide by the same words.
        """
        return self._published

    def check_secrets(self, environ: Mapping[str, str] = os.environ) -> list[Mistake]:
        """What `resolve` of the connectors and sources would miss in this environment."""
        missing: list[Mistake] = []
        feeds = [each for each in self.sources.values() if isinstance(each, FeedSettings) and each.segments]
        places: list[AnyConnector | AnySource] = [*self.connectors.values(), *self.sources.values()]
        for place in [*places, *(each.listing for each in feeds)]:
            try:
                place.resolve(environ)
            except SettingsError as error:
                missing += [each for each in error.mistakes if each not in missing]
        return missing


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ, *, texts: Texts = NOTHING) -> Settings:
    """The configuration in `path`, else in $SEGSYNC_CONFIG, else in ./segsync.toml; `texts` in place of its files.

    SettingsError with all mistakes. Variables of connectors' URLs and passwords may be missing: `resolve`
    needs them, and `check_secrets` lists them.
    """
    source = open_source(path, environ, texts)
    local = read_local(source)
    check_alerts(source)
    check_console(source)
    document = read_document(source)
    source.mistakes += [*written_secrets(document.get("sources")), *without_segment(document.get("sources"))]
    settings = _build(source, document, local, applied=False)
    return replace(settings, files=tuple(dict.fromkeys([source.path, *source.read])))


def from_published(text: str, local: LocalSettings, environ: Mapping[str, str] = os.environ) -> Settings:
    """What `published` wrote, by this process's local settings and environment; SettingsError as in `load`.

    What this version would refuse in a file and another one has published and worked by is read, as in refusals.py.
    """
    return _understood(text, local, environ, applied=True)


def _understood(text: str, local: LocalSettings, environ: Mapping[str, str], *, applied: bool) -> Settings:
    source = SettingsSource(local.path, environ, name="the applied configuration")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or type(document.get("format")) is not int:
        source.wrong("format", "this is no configuration that segsync published")
    elif document.pop("format") != FORMAT:
        source.wrong("format", "another version of segsync published this; expected the same version everywhere")
    source.finish()
    return _build(source, document, local, applied=applied)


def from_given(
    document: Mapping[str, object], local: LocalSettings, environ: Mapping[str, str] = os.environ
) -> Settings:
    """What a program gives in the place of a file, as `published` writes it; SettingsError as in `load`.

    What is never published is refused: it may hold secrets, and whoever may read what is applied would read them.
    """
    source = SettingsSource(local.path, environ, name="the configuration that was given")
    for key in _NEVER:
        if key in document:
            source.wrong(key, "unknown key: it is never published, and stands only in the file of each process")
    source.mistakes += without_segment(document.get("sources"))
    source.finish()
    # As of a file without any: an empty table differs from none.
    given = {key: value for key, value in document.items() if key != "integrations" or value != {}}
    return _understood(json.dumps({"format": FORMAT, **given}), local, environ, applied=False)


def _build(source: SettingsSource, document: dict[str, object], local: LocalSettings, *, applied: bool) -> Settings:
    table = TomlTable(document, "", source.mistakes)
    ledger_url, keep = read_ledger(source, table.table("ledger"))
    source.mistakes += [] if applied else [*refused(document), *refused_ledger(ledger_url)]
    default_database, max_intake = _intake(table.table("intake"))
    connectors = with_on_delete(read_connectors(table, source.folder, ledger_url), table)
    compiler = Compiler(source.mistakes, source.warnings)
    integrations = read_integrations(table, connectors, default_database, compiler)
    if not applied:
        _none_left_out(source, document, integrations)
    sources = read_sources_of(table, source.folder, compiler)
    source.mistakes += own_files_used(ledger_url, connectors, sources, source.environ)
    for each in shared(ledger_url, connectors, sources, source.environ):
        if each.same_user:
            source.warn(f"{each.where}.url", each.what)
    for key in _NEVER:
        table.take(key)
    table.close(_RESERVED)
    if not integrations and not source.mistakes:
        source.warn("integrations", "there is none: nothing would be delivered")
    source.finish()
    published = canonical(document)
    warnings = source.placed(source.warnings)
    return Settings(
        local,
        ledger_url,
        keep,
        default_database,
        max_intake,
        connectors,
        integrations,
        warnings,
        digest_of(published),
        sources,
        _published=published,
    )


def _none_left_out(source: SettingsSource, document: Mapping[str, object], found: Mapping[str, Integration]) -> None:
    """One that were left out without a word would get nothing, and its file would be called fine."""
    written = document.get("integrations")
    if source.mistakes or not isinstance(written, dict):
        return
    for key in sorted(written.keys() - found.keys()):
        what = "cannot be used, and it is not known why; expected an integration as in docs/configuration.md"
        source.wrong(f"integrations.{key}", what)


def _intake(table: TomlTable) -> tuple[str, int | None]:
    database = table.optional_text("default_database", "the name of a profile database") or DEFAULT_DATABASE
    limit = table.whole("max", 0, 1, MOST_EVENTS)
    table.close()
    return database, limit or None
