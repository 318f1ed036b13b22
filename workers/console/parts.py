"""A connector, an ad account or a source while somebody writes it in a form, put into what is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from workers.console.drafts import Judged, by_field
from workers.errors import SettingsError
from workers.settings import from_published
from workers.settings.refusals import refused
from workers.settings.table import NAME, NAME_RULE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.settings import LocalSettings
    from workers.settings.entrusted import Bound


class PartDraft(Protocol):
    """One form, filled in.

    key     of what it is about
    fields  what stands in each field, by its name
    """

    @property
    def key(self) -> str:
        """As above."""

    @property
    def fields(self) -> Mapping[str, str]:
        """As above."""

    def table(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The table that the fields stand for; what has no field, and what is as it was, stays as it was written."""

    def unfit(self, document: Mapping[str, Any], before: Mapping[str, Any], bound: Bound) -> dict[str, list[str]]:
        """Mistakes by field that no reader of a file would find: what only the file may have.

        bound  where each secret was sent, as `bound_secrets` tells
        """

    def field_of(self, path: str) -> str:
        """The form's field for a key path below its table; "" where there is none."""


def judge_part(
    draft: PartDraft, section: str, published: str, local: LocalSettings, bound: Bound, *, new: bool
) -> Judged:
    """The draft put into a section of a published configuration; `new` refuses a key that is there already."""
    document = json.loads(published)
    tables = document.setdefault(section, {})
    where = f"{section}.{draft.key}"
    if not NAME.fullmatch(draft.key):
        return Judged(None, {"key": [f"cannot be a name; expected {NAME_RULE}"]}, [])
    if new and draft.key in tables:
        return Judged(None, {"key": ["is there already; expected a new one"]}, [])
    before = tables.get(draft.key, {})
    if unfit := draft.unfit(document, before, bound):
        return Judged(None, unfit, [])
    tables[draft.key] = draft.table(before)
    try:
        settings = from_published(json.dumps(document), local)
    except SettingsError as error:
        return Judged(None, by_field(error.mistakes, where, draft.field_of), [])
    if wrong := [each for each in refused(document) if each.where.startswith(f"{where}.")]:
        return Judged(None, by_field(wrong, where, draft.field_of), [])
    return Judged(settings, {}, [str(each) for each in settings.warnings if each.where.startswith(f"{where}.")])
