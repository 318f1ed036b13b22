"""Changes of the file after which nobody could leave the audiences of an ad account any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workers.settings.spelling import plain

if TYPE_CHECKING:
    from collections.abc import Mapping


def stranding(before: str, after: str) -> list[str]:
    """One sentence for each integration of an ad account whose members a change would strand.

    before, after  two published configurations

    The store knows members by their key, and takes them out in the form in which they were sent: under another key,
    or in another form, who leaves would not be found.
    """
    old, new = json.loads(before), json.loads(after)
    found = []
    for key, was in old.get("integrations", {}).items():
        now, connector = new.get("integrations", {}).get(key), was.get("connector")
        place = old.get("connectors", {}).get(connector, {})
        if now is None or now.get("connector") != connector or "platform" not in place:
            continue
        if _key(was) != _key(now):
            what = f"key was {', '.join(_key(was))} and is {', '.join(_key(now))}"
            found.append(f"integrations.{key}: {what}; {_WHY.format(plain(connector))} {_INSTEAD}")
        there = new.get("connectors", {}).get(connector, {})
        if place["platform"] != there.get("platform"):
            what = f"connectors.{connector} was {place['platform']} and is {there.get('platform', 'a database')}"
            found.append(f"integrations.{key}: {plain(what)}; {_WHY.format(place['platform'])} {_ANEW}")
            continue
        if place.get("account") != there.get("account"):
            what = f"account of connectors.{connector} was {place.get('account')} and is {there.get('account')}"
            found.append(f"integrations.{key}: {plain(what)}; {_WHY.format(plain(connector))} {_ANEW}")
            continue
        form, other = _hashes(place), _hashes(there)
        if form != other:
            what = f"hashing of connectors.{connector} was {_word(form)} and is {_word(other)}"
            how = "(in the file, or by the platform's variable in the environment of this command)"
            found.append(f"integrations.{key}: {what} {how}; {_WHY.format(plain(connector))} {_ANEW}")
    return found


_WHY = "whoever {} has of it could not be taken out any more;"
_INSTEAD = "expected the old one, and another integration, under a name of its own, for the new one"
_ANEW = "expected the old one, and another connector with integrations of its own for the new one"


def _key(integration: Mapping[str, object]) -> list[str]:
    key = integration.get("key", [])
    return [str(each) for each in key] if isinstance(key, list) else [str(key)]


def _hashes(connector: Mapping[str, object]) -> bool:
    return bool(connector.get("hashing", True))


def _word(value: bool) -> str:
    return str(value).lower()
