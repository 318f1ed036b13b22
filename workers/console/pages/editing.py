"""Creating and changing an integration: a form with checks, previews on an example, and a look at what changes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.vendors import VENDORS
from workers.console.drafts import KINDS, QUERIES, FormDraft, judge
from workers.console.failures import NotFound
from workers.console.publishing import Base, base_of, drain, meant, publish
from workers.console.routes import Act, PageRoute
from workers.console.turns import hurried
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import apply as applying
from workers.control import removing
from workers.errors import WrongUsage
from workers.preflight.preview import Previewer
from workers.preflight.preview_text import sql, told
from workers.preflight.trying import try_out
from workers.settings import ConnectorSettings

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.drafts import Judged
    from workers.console.visit import Visit
    from workers.settings import Settings

EXAMPLE: Final = """\
{"type": "add", "segment": {"id": 7, "name": "VIP"}, "profiles": [{"_id": "61f0", "CustomID": "A-17"}]}"""
"""An event to begin with."""
USUAL: Final = {"batched": "on", "size": "1000", "timeout": "60s", "scope": "all", "database": "main", "active": "on"}
"""What a new integration begins with."""


def _databases(settings: Settings) -> dict[str, ConnectorSettings]:
    """The connectors that have queries, and so a form."""
    return {key: each for key, each in settings.connectors.items() if isinstance(each, ConnectorSettings)}


def create(visit: Visit) -> Response:
    """A form for a new one; `connector` of the query fills in queries to begin with."""
    base, connector = base_of(visit), visit.query.get("connector", "")
    fields = {**USUAL, "database": base.settings.default_database}
    if connector in _databases(base.settings):
        vendor = VENDORS[base.settings.connectors[connector].dialect]
        fields |= {"connector": connector, "key_fields": "CustomID", "ordering": "exact"}
        fields |= {f"queries.{name}": text for name, text in asdict(vendor.preset.queries).items()}
    return _form(visit, base, FormDraft("", fields), new=True)


def edit(visit: Visit) -> Response:
    """A form with the applied settings of one."""
    base, key = base_of(visit), visit.path["key"]
    table = json.loads(base.text).get("integrations", {}).get(key)
    if table is None:
        raise NotFound(f"{key[:80]} is not in the applied configuration")
    if "fields" in table:
        raise NotFound(f"{key[:80]} is an ad account's, for which there is no form: change the file, and apply it")
    return _form(visit, base, FormDraft.of_table(key, table), new=False)


def _form(
    visit: Visit,
    base: Base,
    draft: FormDraft,
    *,
    new: bool,
    judged: Judged | None = None,
    **more: Any,  # noqa: ANN401 - what the page takes
) -> Response:
    connector = _databases(base.settings).get(draft.text("connector"))
    return visit.page(
        "form.html",
        draft=draft,
        new=new,
        at="/create" if new else place("integrations", draft.key),
        connectors=_databases(base.settings),
        preset=_preset(connector),
        queries=QUERIES,
        kinds=KINDS,
        basis=base.revision,
        mistakes=judged.mistakes if judged else {},
        warnings=judged.warnings if judged else [],
        checked=judged is not None and judged.settings is not None,
        example=visit.field("example") or EXAMPLE,
        **{"statements": "", "tried": [], "notes": []} | more,
    )


def _preset(connector: ConnectorSettings | None) -> str:
    """The tables that the queries to begin with are written for; "" where there are none."""
    if connector is None or connector.dialect not in VENDORS:
        return ""
    preset = VENDORS[connector.dialect].preset
    return f"{preset.members};\n\n{preset.segments};"


@dataclass(frozen=True, slots=True)
class _Filled:
    """A form that was sent."""

    base: Base
    draft: FormDraft
    new: bool
    judged: Judged


def _filled(visit: Visit) -> _Filled:
    base, new = base_of(visit), "key" not in visit.path
    key = visit.field("key") if new else visit.path["key"]
    draft = FormDraft(key, {name: values[-1] for name, values in visit.form.items()})
    return _Filled(base, draft, new, judge(draft, base.text, visit.site.runtime().local, new=new))


def _again(visit: Visit, sent: _Filled, **more: Any) -> Response:  # noqa: ANN401 - as above
    return _form(visit, sent.base, sent.draft, new=sent.new, judged=sent.judged, **more)


def check(visit: Visit) -> Response:
    """As `segsync check`: the form again, with what is wrong beside each field."""
    return _again(visit, _filled(visit))


def preview(visit: Visit) -> Response:
    """As `segsync preview`: the form again, with the statements of the example."""
    return _previewed(visit, tried=False)


def try_it(visit: Visit) -> Response:
    """As `segsync preview --try`: runs them on the target, and rolls back."""
    return _previewed(visit, tried=True)


def _previewed(visit: Visit, *, tried: bool) -> Response:
    sent = _filled(visit)
    if sent.judged.settings is None:
        return _again(visit, sent)
    settings, lines = sent.judged.settings, list[str]()
    integration = settings.integrations[sent.draft.key]
    try:
        found = Previewer(integration, settings.default_database).text(visit.required("example"), "the example")
        if tried:
            with visit.site.turns.one():
                outcome = try_out(hurried(settings).connectors[integration.connector], found)
            lines = list(told(outcome, found))
    except WrongUsage as error:
        return _again(visit, sent, notes=[str(error)])
    return _again(visit, sent, statements=sql(found), tried=lines, notes=found.notes)


def difference(visit: Visit) -> Response:
    """As `segsync diff`: what publishing the form would change, and a button to do so."""
    sent = _filled(visit)
    if sent.judged.settings is None:
        return _again(visit, sent)
    plan = applying.plan(visit.site.redis, visit.site.keys, sent.judged.settings)
    return visit.page(
        "difference.html",
        plan=plan,
        draft=sent.draft,
        new=sent.new,
        at="/create" if sent.new else place("integrations", sent.draft.key),
        basis=sent.base.revision,
        warnings=sent.judged.warnings,
    )


def apply(visit: Visit) -> Response:
    """As `segsync apply`: publishes the configuration with this integration as the form has it."""
    sent = _filled(visit)
    if sent.judged.settings is None:
        lines = [f"{name}: {line}" for name, told in sent.judged.mistakes.items() for line in told]
        raise WrongUsage("\n".join(lines))
    settings = sent.judged.settings
    plan = applying.plan(visit.site.redis, visit.site.keys, settings, note=f"{sent.draft.key}, in the console")
    return publish(visit, plan, place("integrations", sent.draft.key))


def remove(visit: Visit) -> Response:
    """As `segsync apply` of a file without it; --drain or --drop, as the form says, where it owes anything."""
    base, key, how, site = base_of(visit), visit.path["key"], visit.field("how"), visit.site
    meant(visit, key)
    local, note = site.runtime().local, f"without {key}, in the console"
    plan = removing.plan_without(site.redis, site.keys, base.text, key, how, local, note=note)
    return drain(visit, plan, key) if plan.drain else publish(visit, plan, "/")


PAGES: Final = (
    PageRoute("/create", create, role=Role.EDITOR),
    PageRoute("/integrations/{key}/edit", edit, role=Role.EDITOR),
)
_ASKS: Final = (("check", check), ("preview", preview), ("difference", difference))
ACTS: Final = (
    *(
        Act(f"{at}/{name}", name, do, role=Role.EDITOR, kept=False)
        for at in ("/create", "/integrations/{key}")
        for name, do in _ASKS
    ),
    *(
        Act(f"{at}/{path}", name, do, role=Role.EDITOR, edits=True)
        for at in ("/create", "/integrations/{key}")
        for path, name, do in (("try", "preview --try", try_it), ("apply", "apply", apply))
    ),
    Act("/integrations/{key}/remove", "apply", remove, role=Role.EDITOR, edits=True),
)
