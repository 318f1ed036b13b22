"""[integrations.*] whose connector is an ad account: which fields of a profile go where."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast

from workers.connectors.audiences.fields import CompiledFields, FieldSource
from workers.connectors.audiences.platforms import PLATFORMS
from workers.errors import Mistake
from workers.integrations import Integration, Ordering
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.compiling import read_key
from workers.settings.limits import LARGEST_BATCH, BatchLimits, read_batch, read_limits
from workers.settings.scopes import read_description, read_scope
from workers.settings.spelling import kind_of, nearest, show
from workers.settings.table import UNKNOWN, TomlTable
from workers.templates import TemplateErrors
from workers.templates.plain_value import PlainValue, compile_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.audiences.records import AdField, Hash, Platform
    from workers.settings.connectors import AnyConnector

ON_DELETE: Final = ("empty", "keep", "delete")
HASHES: Final = ("sha256", "md5")
ONLY_FOR_ADS: Final = ("fields", "phone_region", "consent", "on_delete")
_OF_DATABASES: Final = dict.fromkeys(
    ("queries", "use", "members", "exactly_once", "ordering"),
    "is for databases, and this connector is an ad account; expected fields",
)
_EXPECTED: Final = 'a field of the profile, as in "email", a value as in "{lower lead.email}", or { sha256 = "…" }'
_REGION: Final = re.compile("[A-Z]{2}")
DEFAULT_BATCH: Final = BatchLimits(batched=True, batch_size=LARGEST_BATCH, timeout_ms=60_000)
"""Where the file says nothing: what is delivered goes into the store, and from there in calls as large as may be."""


def read_ad_integration(
    key: str, table: TomlTable, connector: AdConnectorSettings, default_database: str, warnings: list[Mistake]
) -> Integration | None:
    """One integration; None where it cannot be used, its mistakes noted."""
    if not connector.platform:
        return None  # what its fields may be is not known
    table.take("connector")
    batch = read_batch(table, warnings) if "batch" in table else DEFAULT_BATCH
    table.take("batch")
    declared = read_key(table)
    table.missing("key", 'the field that identifies a profile, as in "CustomID"')
    scope = read_scope(table, default_database)
    name, description = table.optional_text("name"), read_description(table)
    active, limits = table.flag("active", default=True), read_limits(table)
    if limits.tolerance != "data":
        what = "is for databases: an ad account takes the rest of a batch, and a bad profile goes to the quarantine"
        table.wrong("tolerance", f'{what}; expected "data", or nothing')
    fields = _Reader(table, connector, warnings).read()
    table.choice("on_delete", ON_DELETE)
    table.close(_OF_DATABASES)
    if scope is None or not declared or fields is None:
        return None
    return Integration(
        key=key,
        connector=connector.key,
        scope=scope,
        key_fields=declared,
        queries={},
        fields=fields,
        name=name or key,
        description=description,
        active=active,
        ordering=Ordering.EXACT,
        **batch._asdict(),
        **limits._asdict(),
    )


def with_on_delete(connectors: Mapping[str, AnyConnector], document: TomlTable) -> dict[str, AnyConnector]:
    """The connectors; ad accounts know what their integrations say of audiences whose segment is deleted."""
    said: dict[str, dict[str, str]] = {key: {} for key in connectors}
    for key, table in document.tables("integrations"):
        wanted, connector = table.values.get("on_delete"), str(table.values.get("connector"))
        if isinstance(wanted, str) and connector in said:
            said[connector][key] = wanted
    return {
        key: replace(each, on_delete=said[key]) if isinstance(each, AdConnectorSettings) else each
        for key, each in connectors.items()
    }


class _Reader:
    """Reads `fields` and what belongs to it."""

    def __init__(self, table: TomlTable, connector: AdConnectorSettings, warnings: list[Mistake]) -> None:
        self._table = table
        self._connector = connector
        self._platform: Platform = PLATFORMS[connector.platform]
        self._warnings = warnings

    def read(self) -> CompiledFields | None:
        self._table.missing(
            "fields", f"the fields of {self._platform.name} and where they are, as in {self._example()}"
        )
        before = len(self._table.mistakes)
        sources = self._sources()
        region = self._region(sources)
        consent = self._consent()
        if len(self._table.mistakes) > before or "fields" not in self._table:
            return None
        return CompiledFields(self._platform.key, tuple(sources), region, consent)

    def _example(self) -> str:
        name = next(iter(self._platform.fields))
        return f'{{ {name} = "email" }}'

    def _sources(self) -> list[FieldSource]:
        before = len(self._table.mistakes)
        fields = self._table.table("fields")
        found: dict[str, FieldSource] = {}
        for name, value in spelled_out(fields.values, self._also()).items():
            fields.take(name.partition(".")[0])
            field = self._field(fields, name)
            if field is not None and field.name in found:
                fields.wrong(name, f"is {field.name}, which is there twice")
            elif field is not None and (source := self._source(fields, field, name, value)):
                found[field.name] = source
        alone = [name for name, field in self._platform.fields.items() if field.alone]
        if "fields" in self._table and not set(found) & set(alone) and len(self._table.mistakes) == before:
            fields.note(
                f"has nothing by which {self._platform.name} finds a person; expected one of {', '.join(alone)}"
            )
        return list(found.values())

    def _also(self) -> dict[str, str]:
        return {field.also: name for name, field in self._platform.fields.items() if field.also}

    def _field(self, fields: TomlTable, name: str) -> AdField | None:
        known = self._platform.fields
        field = known.get(self._also().get(name, name))
        if field is None:
            fields.wrong(name, f"is no field of {self._platform.name}{nearest(name, [*known, *self._also()])}")
        return field

    def _source(self, fields: TomlTable, field: AdField, name: str, value: object) -> FieldSource | None:
        text, declared = self._said(fields, field, name, value)
        if not text:
            return None
        compiled = self._compiled(fields.at(name), text, hashes=bool(declared))
        if compiled is None:
            return None
        hashing: Hash = field.hash if self._connector.hashes else ""
        return FieldSource(field, compiled, hashing, already=bool(declared))

    def _said(self, fields: TomlTable, field: AdField, name: str, value: object) -> tuple[str, str]:
        """The value's text, and as what it is hashed already, or ""; ("", "") where it is wrong."""
        if isinstance(value, str) and value.strip():
            return value, ""
        if value is UNKNOWN:
            return "", ""
        if not isinstance(value, dict) or len(value) != 1:
            what = "is empty" if value in ("", {}) or isinstance(value, str) else f"{show(value)} is {kind_of(value)}"
            fields.wrong(name, f"{what}; expected {_EXPECTED}")
            return "", ""
        inner = TomlTable(value, fields.at(name), fields.mistakes)
        texts = {kind: inner.optional_text(kind, "a field of the profile that holds the hash") for kind in HASHES}
        inner.close()
        declared = next((kind for kind in HASHES if texts[kind]), "")
        if declared and (why := self._why_not(field, declared)):
            inner.wrong(declared, why)
            return "", ""
        return texts.get(declared) or "", declared

    def _why_not(self, field: AdField, declared: str) -> str:
        """Why a field cannot be hashed already; "" where it can."""
        if not field.hash:
            return f"{self._platform.name} takes {field.name} as it is, and not its hash"
        if declared != field.hash:
            return f"{self._platform.name} takes {field.name} as {field.hash}, which no other hash can be made of"
        if len(field.kinds) > 1:
            return f"{field.name} is sent in {len(field.kinds)} parts, each with its own hash; expected the value"
        return "" if self._connector.hashes else "hashing is off for this connector, so all of it is sent unhashed"

    def _compiled(self, where: str, text: str, *, hashes: bool = False) -> PlainValue | None:
        try:
            return compile_value(text, where, hashes=hashes)
        except TemplateErrors as errors:
            self._table.mistakes += errors.mistakes
            return None

    def _region(self, sources: list[FieldSource]) -> str:
        region = self._table.optional_text("phone_region", 'a country, as in "RU"') or ""
        phones = [source for source in sources if source.field.form.endswith("phone") and not source.already]
        if not phones:
            return region
        where = self._table.at(f"fields.{phones[0].field.name}")
        if find_spec("phonenumbers") is None:
            self._table.mistakes.append(Mistake(where, "needs pip install 'segsync[ads]'"))
        elif region and not _is_region(region):
            self._table.wrong("phone_region", f'{show(region)} is no country (ISO 3166-1 alpha-2); expected as in "RU"')
        elif not region:
            what = "phone_region is left out: numbers that begin with no + and country are not sent"
            self._warnings.append(Mistake(where, what))
        return region

    def _consent(self) -> PlainValue | None:
        text = self._table.optional_text("consent", 'the field of the profile that says yes, as in "ads_consent"')
        return self._compiled(self._table.at("consent"), text) if text else None


def _is_region(region: str) -> bool:
    from workers.connectors.audiences.normalisation.contacts import regions  # noqa: PLC0415 - loads phonenumbers

    return _REGION.fullmatch(region) is not None and region in regions()


def spelled_out(values: object, dotted: Mapping[str, str]) -> dict[str, object]:
    """The fields by name; `dotted` has the names with a dot.

    `PushData.SubscriptionID = …` is a table in a table to TOML, and one name here.
    """
    found: dict[str, object] = {}
    for name, value in cast("dict[str, object]", values).items():
        inner = value if isinstance(value, dict) else {}
        names = {f"{name}.{each}": each for each in inner}
        if inner and all(each in dotted for each in names):
            found |= {each: inner[last] for each, last in names.items()}
        else:
            found[name] = value
    return found
