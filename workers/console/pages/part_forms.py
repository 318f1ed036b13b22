"""What creating and changing a connector, an ad account and a source have in common: one form, and its acts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workers.console.checks import steps_of
from workers.console.failures import NotFound
from workers.console.parts import judge_part
from workers.console.publishing import base_of, meant, publish
from workers.console.routes import Act, PageRoute
from workers.console.turns import hurried
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import apply as applying
from workers.errors import SettingsError, WrongUsage
from workers.settings import from_published
from workers.settings.entrusted import bound_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from workers.connectors.inspection import Step
    from workers.console.drafts import Judged
    from workers.console.parts import PartDraft
    from workers.console.publishing import Base
    from workers.console.visit import Visit
    from workers.preflight.examination import Examination
    from workers.settings import Settings

_EDITS: Final[dict[str, Any]] = {"role": Role.EDITOR, "edits": True}
_ASKS: Final[dict[str, Any]] = {"role": Role.EDITOR, "kept": False}


@dataclass(frozen=True, slots=True)
class SentPart:
    """A form: as it was sent, or as it is shown first, when nothing is judged yet.

    before  the table as it is applied; {} of a new one
    """

    base: Base
    draft: PartDraft
    before: Mapping[str, Any]
    new: bool
    judged: Judged | None = None

    @property
    def settings(self) -> Settings | None:
        """The whole configuration with it; None where it is wrong, or not judged."""
        return self.judged.settings if self.judged else None


@dataclass(frozen=True, slots=True)
class PartForm:
    """One kind of form.

    section   of the file
    word      what people call one
    create    the path of the form for a new one
    home      where those that there are have their pages
    template  of the form
    draft     a form as it was sent: key and fields; from_table makes it of what is applied
    first     what a form for a new one begins with
    is_mine   whether a table of the section has this form
    more      what the template needs beside
    examine   asks its target, as `check --connect` does
    """

    section: str
    word: str
    create: str
    home: str
    template: str
    draft: Callable[[str, Mapping[str, str]], PartDraft]
    from_table: Callable[[str, Mapping[str, Any]], PartDraft]
    first: Callable[[Visit], PartDraft]
    is_mine: Callable[[Mapping[str, Any]], bool]
    more: Callable[[SentPart], dict[str, Any]]
    examine: Callable[[Settings, str], Examination]

    def begin(self, visit: Visit) -> Response:
        """The form for a new one."""
        return self._page(visit, SentPart(base_of(visit), self.first(visit), {}, new=True))

    def edit(self, visit: Visit) -> Response:
        """The form with the applied settings of one."""
        base, key = base_of(visit), visit.path["key"]
        table = self._table(base, key)
        return self._page(visit, SentPart(base, self.from_table(key, table), table, new=False))

    def _table(self, base: Base, key: str) -> dict[str, Any]:
        table: dict[str, Any] | None = json.loads(base.text).get(self.section, {}).get(key)
        if table is None or not self.is_mine(table):
            raise NotFound(f"{key[:80]} is no {self.word} of the applied configuration")
        return table

    def _sent(self, visit: Visit) -> SentPart:
        base, new, site = base_of(visit), "key" not in visit.path, visit.site
        key = visit.field("key") if new else visit.path["key"]
        before = {} if new else self._table(base, key)
        draft = self.draft(key, {name: values[-1] for name, values in visit.form.items()})
        local = site.runtime().local
        bound = bound_secrets(site.redis, site.keys, local.path.parent)
        judged = judge_part(draft, self.section, base.text, local, bound, new=new)
        return SentPart(base, draft, before, new, judged)

    def _at(self, sent: SentPart) -> str:
        return self.create if sent.new else f"{self.home}{place(sent.draft.key, 'edit')}"

    def _page(self, visit: Visit, sent: SentPart, steps: list[Step] | None = None) -> Response:
        judged = sent.judged
        return visit.page(
            self.template,
            draft=sent.draft,
            new=sent.new,
            at=self._at(sent),
            basis=sent.base.revision,
            mistakes=judged.mistakes if judged else {},
            warnings=judged.warnings if judged else [],
            checked=sent.settings is not None,
            steps=steps or [],
            **self.more(sent),
        )

    def check(self, visit: Visit) -> Response:
        """As `segsync check`: the form again, with what is wrong beside each field."""
        return self._page(visit, self._sent(visit))

    def try_it(self, visit: Visit) -> Response:
        """As `segsync check --connect` with what the form has; nothing is published."""
        sent, steps = self._sent(visit), None
        if sent.settings is not None:
            with visit.site.turns.one():
                steps = steps_of(self.examine(hurried(sent.settings), sent.draft.key))
        return self._page(visit, sent, steps)

    def difference(self, visit: Visit) -> Response:
        """As `segsync diff`: what publishing the form would change, and a button to do so."""
        sent = self._sent(visit)
        if sent.settings is None or sent.judged is None:
            return self._page(visit, sent)
        plan = applying.plan(visit.site.redis, visit.site.keys, sent.settings)
        warnings, basis = sent.judged.warnings, sent.base.revision
        return visit.page(
            "difference.html", plan=plan, draft=sent.draft, at=self._at(sent), basis=basis, warnings=warnings
        )

    def apply(self, visit: Visit) -> Response:
        """As `segsync apply`: publishes the configuration with this part as the form has it."""
        sent = self._sent(visit)
        if sent.settings is None:
            mistakes = sent.judged.mistakes if sent.judged else {}
            raise WrongUsage("\n".join(f"{name}: {line}" for name, told in mistakes.items() for line in told))
        note = f"{self.word} {sent.draft.key}, in the console"
        plan = applying.plan(visit.site.redis, visit.site.keys, sent.settings, note=note)
        return publish(visit, plan, f"{self.home}{place(sent.draft.key)}")

    def remove(self, visit: Visit) -> Response:
        """As `segsync apply` of a file without it; refused while something uses it."""
        base, key, site = base_of(visit), visit.path["key"], visit.site
        meant(visit, key)
        self._table(base, key)
        document = json.loads(base.text)
        del document[self.section][key]
        if not document[self.section]:
            del document[self.section]  # as in a file without any: an empty table differs from none
        try:
            settings = from_published(json.dumps(document), site.runtime().local)
        except SettingsError as error:
            raise WrongUsage(str(error)) from None
        plan = applying.plan(site.redis, site.keys, settings, note=f"without {self.word} {key}, in the console")
        return publish(visit, plan, self.home)

    def pages(self) -> tuple[PageRoute, ...]:
        """The forms."""
        return (
            PageRoute(self.create, self.begin, role=Role.EDITOR),
            PageRoute(f"{self.home}/{{key}}/edit", self.edit, role=Role.EDITOR),
        )

    def acts(self) -> tuple[Act, ...]:
        """What they do."""
        forms = (self.create, f"{self.home}/{{key}}/edit")
        return (
            *(Act(f"{at}/check", "check", self.check, **_ASKS) for at in forms),
            *(Act(f"{at}/difference", "difference", self.difference, **_ASKS) for at in forms),
            *(Act(f"{at}/try", "check --connect", self.try_it, **_EDITS) for at in forms),
            *(Act(f"{at}/apply", "apply", self.apply, **_EDITS) for at in forms),
            Act(f"{self.home}/{{key}}/remove", "apply", self.remove, **_EDITS),
        )
