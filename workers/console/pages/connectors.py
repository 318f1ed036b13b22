"""Connectors: all of them, one from near, its check, and the form that creates and changes one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.console.checks import check_connector, steps_of
from workers.console.connector_drafts import (
    FILE,
    KEPT,
    NOWHERE,
    VARIABLE,
    ConnectorDraft,
    examples,
    file_of,
    judge_connector,
    variable_of,
)
from workers.console.connectors import read_connectors
from workers.console.failures import NotFound
from workers.console.publishing import base_of, meant, publish
from workers.console.routes import Act, PageRoute
from workers.console.turns import hurried
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import apply as applying
from workers.errors import SettingsError, WrongUsage
from workers.preflight.targets import examine_one
from workers.settings import ConnectorSettings, from_published, lacking
from workers.settings.entrusted import bound_secrets

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.connectors.inspection import Step
    from workers.console.connectors import ConnectorState
    from workers.console.drafts import Judged
    from workers.console.publishing import Base
    from workers.console.visit import Visit

USUAL: Final = {"password": VARIABLE, "parallelism": "4", "statement_timeout": "30s"}
"""What a new connector begins with."""


def show(visit: Visit) -> Response:
    """All of them; `q` of the query is a part of a key, a vendor or an address."""
    q = visit.query.get("q", "").strip()
    found = read_connectors(visit.site.runtime())
    listed = [each for each in found if any(q.lower() in text.lower() for text in (each.key, each.vendor, each.url))]
    return visit.page("connectors.html", listed=listed, q=q)


def one(visit: Visit) -> Response:
    """One of them."""
    return visit.page("connector.html", each=_state(visit), at=place("connectors", visit.path["key"]))


def _state(visit: Visit) -> ConnectorState:
    key = visit.path["key"]
    found = next((each for each in read_connectors(visit.site.runtime()) if each.key == key), None)
    if found is None:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    return found


def check(visit: Visit) -> Response:
    """As `segsync check --connect`, of this connector alone."""
    key = visit.path["key"]
    found = check_connector(visit.site, key, visit.viewer.name)
    return visit.go(place("connectors", key), f"{key} needs someone" if found.wrong else f"{key} is fine")


def create(visit: Visit) -> Response:
    """A form for a new one."""
    return _form(visit, base_of(visit), ConnectorDraft("", USUAL), new=True)


def edit(visit: Visit) -> Response:
    """A form with the applied settings of one."""
    base, key = base_of(visit), visit.path["key"]
    return _form(visit, base, ConnectorDraft.of_table(key, _table(base, key)), new=False)


def _table(base: Base, key: str) -> dict[str, Any]:
    """A database's table, as it is applied."""
    if key not in base.settings.connectors:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    if not isinstance(base.settings.connectors[key], ConnectorSettings):
        raise NotFound(f"{key[:80]} is an ad account, for which there is no form: change the file, and apply it")
    table: dict[str, Any] = json.loads(base.text)["connectors"][key]
    return table


@dataclass(frozen=True, slots=True)
class SentConnector:
    """A form that was sent."""

    base: Base
    draft: ConnectorDraft
    new: bool
    judged: Judged

    @property
    def at(self) -> str:
        """Where its acts are."""
        return _at(self.draft.key, new=self.new)


def _at(key: str, *, new: bool) -> str:
    return "/create-connector" if new else place("connectors", key, "edit")


def _sent(visit: Visit) -> SentConnector:
    base, new = base_of(visit), "key" not in visit.path
    key = visit.field("key") if new else visit.path["key"]
    if not new:
        _table(base, key)
    draft = ConnectorDraft(key, {name: values[-1] for name, values in visit.form.items()})
    site = visit.site
    bound = bound_secrets(site.redis, site.keys)
    return SentConnector(base, draft, new, judge_connector(draft, base.text, site.runtime().local, bound, new=new))


def _form(
    visit: Visit,
    base: Base,
    draft: ConnectorDraft,
    *,
    new: bool,
    judged: Judged | None = None,
    steps: list[Step] | None = None,
) -> Response:
    table = json.loads(base.text).get("connectors", {}).get(draft.key, {})
    places = [VARIABLE, FILE, NOWHERE]
    if ConnectorDraft.of_table(draft.key, table).text("password") == KEPT:
        places.append(KEPT)
    key = draft.key or "KEY"
    return visit.page(
        "connector_form.html",
        draft=draft,
        new=new,
        at=_at(draft.key, new=new),
        basis=base.revision,
        mistakes=judged.mistakes if judged else {},
        warnings=judged.warnings if judged else [],
        checked=judged is not None and judged.settings is not None,
        lacks=_lacks(judged, draft),
        steps=steps or [],
        places=places,
        variable=variable_of(key),
        is_set=variable_of(key) in os.environ,
        file=file_of(key),
        kept=table.get("password") or table.get("password_file"),
        examples=examples(),
        unused=not new and all(each.connector != draft.key for each in base.settings.integrations.values()),
    )


def _lacks(judged: Judged | None, draft: ConnectorDraft) -> str:
    """What this process would miss to connect by the form; "" where nothing is, or it is wrong."""
    if judged is None or judged.settings is None:
        return ""
    return lacking.reason(judged.settings.connectors[draft.key])


def check_form(visit: Visit) -> Response:
    """As `segsync check`: the form again, with what is wrong beside each field."""
    sent = _sent(visit)
    return _form(visit, sent.base, sent.draft, new=sent.new, judged=sent.judged)


def try_it(visit: Visit) -> Response:
    """As `segsync check --connect` with what the form has; nothing is published."""
    sent = _sent(visit)
    steps = None
    if sent.judged.settings is not None:
        with visit.site.turns.one():
            steps = steps_of(examine_one(hurried(sent.judged.settings), sent.draft.key))
    return _form(visit, sent.base, sent.draft, new=sent.new, judged=sent.judged, steps=steps)


def difference(visit: Visit) -> Response:
    """As `segsync diff`: what publishing the form would change, and a button to do so."""
    sent = _sent(visit)
    if sent.judged.settings is None:
        return _form(visit, sent.base, sent.draft, new=sent.new, judged=sent.judged)
    plan = applying.plan(visit.site.redis, visit.site.keys, sent.judged.settings)
    warnings, basis = sent.judged.warnings, sent.base.revision
    return visit.page("difference.html", plan=plan, draft=sent.draft, at=sent.at, basis=basis, warnings=warnings)


def apply(visit: Visit) -> Response:
    """As `segsync apply`: publishes the configuration with this connector as the form has it."""
    sent = _sent(visit)
    if sent.judged.settings is None:
        lines = [f"{name}: {line}" for name, told in sent.judged.mistakes.items() for line in told]
        raise WrongUsage("\n".join(lines))
    note = f"connector {sent.draft.key}, in the console"
    plan = applying.plan(visit.site.redis, visit.site.keys, sent.judged.settings, note=note)
    return publish(visit, plan, place("connectors", sent.draft.key))


def remove(visit: Visit) -> Response:
    """As `segsync apply` of a file without it; refused while an integration uses it."""
    base, key, site = base_of(visit), visit.path["key"], visit.site
    meant(visit, key)
    document = json.loads(base.text)
    if document.get("connectors", {}).pop(key, None) is None:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    try:
        settings = from_published(json.dumps(document), site.runtime().local)
    except SettingsError as error:
        raise WrongUsage(str(error)) from None
    plan = applying.plan(site.redis, site.keys, settings, note=f"without connector {key}, in the console")
    return publish(visit, plan, "/connectors")


PAGES: Final = (
    PageRoute("/connectors", show, live=True),
    PageRoute("/create-connector", create, role=Role.EDITOR),
    PageRoute("/connectors/{key}", one),
    PageRoute("/connectors/{key}/edit", edit, role=Role.EDITOR),
)
_OF_FORMS: Final = ("/create-connector", "/connectors/{key}/edit")
_CHANGES: Final[dict[str, Any]] = {"role": Role.EDITOR, "edits": True}
ACTS: Final = (
    Act("/connectors/{key}/check", "check --connect", check),
    *(Act(f"{at}/check", "check", check_form, role=Role.EDITOR, kept=False) for at in _OF_FORMS),
    *(Act(f"{at}/difference", "difference", difference, role=Role.EDITOR, kept=False) for at in _OF_FORMS),
    *(Act(f"{at}/try", "check --connect", try_it, **_CHANGES) for at in _OF_FORMS),
    *(Act(f"{at}/apply", "apply", apply, **_CHANGES) for at in _OF_FORMS),
    Act("/connectors/{key}/remove", "apply", remove, **_CHANGES),
)
