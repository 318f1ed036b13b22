"""Which names a template may use where, and what they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING

from workers.templates.nodes import Builtin, Expression, Field, Local, Meta, Steps

if TYPE_CHECKING:
    from workers.templates.model import QueryKind

BUILTINS = ("segment_id", "segment_name", "event_time", "sequence")
METAS = ("_event_time", "_sequence")
FOREIGN = ("subscription", "json", "order", "orders", "product", "products", "message")
"""Names of Altcraft's that exist in its messages and not in segment queries."""

_PLAIN = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(r"""\.?([^\W\d]\w*)|\[([0-9]{1,9})\]|\[(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\]""")


class UnknownName(Exception):
    """A name that means nothing here; the text says what was expected."""


@dataclass
class NamesInReach:
    """The names in reach: those that are always there, and the variables of the loops around."""

    kind: QueryKind
    batch: bool
    variables: list[tuple[str, bool]] = field(default_factory=list)
    """(name, whether it is a profile of the batch), innermost last."""

    @property
    def in_batch(self) -> bool:
        """Whether this query is rendered for many profiles at once."""
        return self.batch and self.kind.has_profiles

    def variable(self, name: str, steps: Steps) -> Expression:
        """What `$name` and its path stand for."""
        for known, is_row in reversed(self.variables):
            if known == name:
                return row_value(name, steps) if is_row else Local(name, steps)
        raise UnknownName(self._unknown_variable(name))

    def lead(self, steps: Steps) -> Expression:
        """What `lead` and its path stand for."""
        if not self.kind.has_profiles:
            raise UnknownName(f"a {self.kind} query has no profiles, so no `lead`; profiles come with add and remove")
        if self.batch:
            raise UnknownName(
                "`lead` is for profiles that go one at a time; in a batch write "
                f"{{for $index, $lead = $batch}} … {{${'.'.join(['lead', *map(str, steps[:1])])}}} … {{end}}"
            )
        return row_value("", steps)

    def builtin(self, name: str) -> Expression:
        """What `segment_id`, `segment_name`, `event_time` and `sequence` stand for."""
        if name.startswith("segment_"):
            return Builtin(name)
        if self.in_batch:
            raise UnknownName(
                f"each profile of a batch has its own {name}: write {{$lead._{name}}} "
                "inside {for $index, $lead = $batch} … {end}"
            )
        return Meta("", f"_{name}")

    def _unknown_variable(self, name: str) -> str:
        if not self.kind.has_profiles:
            return f"`${name}` means nothing here: a {self.kind} query has no profiles; those come with add and remove"
        if not self.batch:
            remedy = "for the profile's fields write {lead.Field}"
            return f"`${name}` means nothing here: profiles go one at a time (no `batch`); {remedy}"
        if name == "batch":
            return "`$batch` can only be looped over: {for $index, $lead = $batch} … {end}"
        known = [f"${variable}" for variable, _ in self.variables]
        if not known:
            return f"`${name}` means nothing outside its loop: {{for $index, ${name} = $batch}} … {{end}}"
        return f"`${name}` means nothing here; " + suggestion(f"${name}", known)


def row_value(row: str, steps: Steps) -> Expression:
    """A profile's field, or the event's own time and number under their underscored names."""
    if len(steps) == 1 and steps[0] in METAS:
        return Meta(row, str(steps[0]))
    return Field(row, steps, path_text(steps))


def path_text(steps: Steps) -> str:
    """A path as `key` and messages have it: `address.city`, `phones[0]`, `Custom ID`."""
    if len(steps) == 1 and isinstance(steps[0], str) and not set(".[") & set(steps[0]):
        return steps[0]
    return "".join(map(_step_text, steps)).removeprefix(".")


def _step_text(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    quoted = step.replace("\\", "\\\\").replace('"', '\\"')
    return f".{step}" if _PLAIN.fullmatch(step) else f'["{quoted}"]'


def parse_path(text: str) -> Steps:
    """The steps of a path's text; ValueError says what is wrong with it.

    A text without `.` and `[` is one field's name as it stands, blanks and all.
    """
    if not text:
        raise ValueError("expected a field's name, got an empty text")
    if not set(".[") & set(text):
        return (text,)
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (text[at] == "." and at == 0):
            there = "; leave `$lead.` out" if text.startswith(("$lead.", "lead.")) else ""
            raise ValueError(f'{text!r} is no path to a field, as in `address.city`, `phones[0]` or `["a.b"]`{there}')
        steps.append(_step(match))
        at = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> str | int:
    if match[2]:
        return int(match[2])
    quoted = match[3] if match[3] is not None else match[4]
    return match[1] or re.sub(r"\\(.)", r"\1", quoted)


def suggestion(name: str, known: list[str]) -> str:
    """The nearest valid name, or all of them."""
    # Names are told apart by case, and mistaken for one another by it.
    near = get_close_matches(name, known, 1) or get_close_matches(name.lower(), known, 1)
    return f"did you mean `{near[0]}`?" if near else "there is " + ", ".join(f"`{one}`" for one in known)
