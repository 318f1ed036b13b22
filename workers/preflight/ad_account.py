"""An ad account, looked at step by step: its store, its token, whether the platform lets us in, rights and terms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.connectors.audiences.records import LOGIN_SOON_MS
from workers.connectors.audiences.wire import CallFailed
from workers.connectors.inspection import Step, told
from workers.errors import TargetError
from workers.preflight.examination import Examination

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.audiences.connector import AdConnector


def examine_account(connector: AdConnector) -> Examination:
    """What came of each step; what follows a mistake is not tried. Costs three looks at most, and no write."""
    found = Examination(connector.key, connector.platform.key, [])
    steps: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("store", "the store of what was sent can be used", connector.store.upgrade),
        ("token", "a token is kept, and good for now", connector.way.tokens.token),
        ("account", f"{connector.platform.name} lets us in", connector.probe),
    )
    for name, fine, look in steps:
        try:
            look()
        except TargetError as error:
            found.steps.append(Step(name, "mistake", told(error)))
            break
        found.steps.append(Step(name, "fine", fine))
    else:
        found.steps += _signs(connector)
        found.steps += _login(connector)
    return found


def _signs(connector: AdConnector) -> list[Step]:
    """What the platform says of rights and terms, asked now or with the token."""
    platform = connector.platform
    try:
        asked = connector.way.wire.signs()
    except (CallFailed, TargetError) as error:
        return [Step("rights", "warning", f"{platform.name} does not say which it has given: {error}")]
    lacks = connector.way.tokens.standing().lacks if asked.lacks is None else asked.lacks
    names = ", ".join(platform.rights)
    rights = Step("rights", "fine", f"none is known to be missing of {names}")
    if lacks:
        remedy = platform.remedy(connector.key)
        rights = Step("rights", "mistake", f"the login lacks {', '.join(lacks)}; {remedy}, with {names}")
    return [rights, _terms(platform.name, asked.terms)]


def _terms(platform: str, wrong: str | None) -> Step:
    if wrong is None:
        return Step("terms", "fine", f"{platform} tells at the first call whether somebody must accept any")
    if wrong:
        return Step("terms", "warning", f"{wrong}; expected somebody to accept them, unless another business did")
    return Step("terms", "fine", "they are accepted")


def _login(connector: AdConnector) -> list[Step]:
    """A word where a person must consent again soon."""
    ends = connector.way.tokens.standing().ends_ms
    if not ends or ends - connector.clock() >= LOGIN_SOON_MS:
        return []
    day = datetime.fromtimestamp(ends / 1000, UTC)
    return [Step("login", "warning", f"it ends {day:%Y-%m-%d}; {connector.platform.remedy(connector.key)}")]
