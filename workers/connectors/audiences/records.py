"""What a platform is, and what it takes: values only. What is sent of a profile is in connectors/identifiers.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGIN_SOON_MS: Final = 14 * 86_400_000
"""Milliseconds before a login ends for good, of which a person should know."""

Replacement = Literal["call", "session", "rest", "list"]
"""How a platform comes to have the members that it is told, and nobody else: one call has all of them; a session of
calls; all are told, and then the rest is taken out; or another list takes the place of the first."""

Hash = Literal["sha256", "md5", ""]
"""How a value is sent; "" is as it is, after normalisation."""


@dataclass(frozen=True, slots=True)
class AdField:
    """A field that a platform takes.

    name    as in `fields` of the configuration
    kinds   the platform's words for it: one, or several where it is sent in parts (a date of birth)
    form    the normal form, by its name in `normalisation.FORMS`: one text for each kind
    hash    how it is sent; where `hashing = false` is allowed and set, as it is
    alone   finds the person by itself; else it is a companion
    list    the remote list that it belongs to, where a platform keeps one for each type; "" for the only one
    what    for people: "Email address"
    also    another name for it in `fields`: that of the published list of what is transmitted
    """

    name: str
    kinds: tuple[str, ...]
    form: str
    hash: Hash
    what: str
    alone: bool = True
    list: str = ""
    also: str = ""


class BudgetWindow(NamedTuple):
    """At most so many writes, or looks, in so many seconds."""

    seconds: int
    writes: int


class Setting(NamedTuple):
    """One of [connectors.X] for this platform.

    name      as in the file
    what      for people: "Application ID"
    secret    never shown, never published: only a variable or a file may stand there
    required  must be there
    digits    is a number, and nothing else may stand in it
    """

    name: str
    what: str
    secret: bool = False
    required: bool = True
    digits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform, in one record: nothing else asks which one it is.

    key              as in `platform = "yandex-audiences"`
    name             as people write it
    base_url         of its API, unless `url` in the connector says otherwise
    settings         of the connector, secrets among them
    rights           that a token must have, as the platform names them
    fields           by name
    hashing_off      whether `hashing = false` is allowed; hashing_variable may say so in the environment as well
    largest_call     rows in one call
    first_rows       rows that a list needs to begin with; 0: it may be empty
    later_rows       rows that a change needs
    budget           writes of one login, over all its audiences
    looks            calls of one login that change nothing
    asynchronous     a call is only accepted, and applied later: it is polled
    lands_within     hours after a call of which nobody heard in which it may still be applied; 0: it is done at once
    one_call_at_a_time  of a call only its audience's state can be asked: so one at a time is on its way
    confirms         an audience is begun with its first rows, and real only when that is confirmed
    row_errors       tells which rows it refuses
    whole_rows       all identifiers of a profile go in one row; else each goes by itself
    replaces         how all members are replaced, whoever is there
    replace_most     identifiers of an audience that can be replaced at all
    members_expire   days after which a member is gone unless it is sent again; 0: never
    consent          takes `consent`
    """

    key: str
    name: str
    base_url: str
    settings: tuple[Setting, ...]
    rights: tuple[str, ...]
    fields: Mapping[str, AdField] = field(hash=False)
    hashing_off: bool = False
    hashing_variable: str = ""
    largest_call: int
    first_rows: int = 0
    later_rows: int = 0
    budget: tuple[BudgetWindow, ...] = ()
    looks: tuple[BudgetWindow, ...] = ()
    asynchronous: bool
    lands_within: int = 0
    one_call_at_a_time: bool = False
    confirms: bool = False
    row_errors: bool
    whole_rows: bool = False
    replaces: Replacement
    replace_most: int
    members_expire: int = 0
    consent: bool = False

    def fills_a_call(self, name: str) -> int:
        """Identifiers of a list that fill a call which adds: where all of a person's go in one row, as many times."""
        if not self.whole_rows:
            return self.largest_call
        mine = (each for each in self.fields.values() if each.alone and each.list == name)
        return self.largest_call * max(1, len({kind for each in mine for kind in each.kinds}))

    def remedy(self, connector: str) -> str:
        """What is expected of a person where the token is refused: one that the file gives no command makes anew."""
        if not any(each.name == "access_token" for each in self.settings):
            return f"expected `segsync connect {connector}`"
        return (
            f"expected a new token where `access_token` of connectors.{connector} takes it from, "
            f"workers that have it too, and then `segsync connect {connector}`"
        )
