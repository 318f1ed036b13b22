"""What whoever may only edit, by the console or the API, may not publish, though the file may say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import Mistake, SettingsError
from workers.settings.own_databases import addresses_of, shared
from workers.settings.revision import understood

if TYPE_CHECKING:
    from workers.control.apply import ApplyPlan

_IN_THE_FILE = "expected another, or this one in segsync.toml, by `segsync apply`: its queries could change anything"


def refuse_own_databases(plan: ApplyPlan) -> None:
    """SettingsError where a connector or source would newly lead to the ledger's database, whoever logs in there.

    What is applied stays: the file has led it there. Hosts are told apart by their addresses, too. That says nothing of
    a name that leads elsewhere a moment later, nor of a pooler; but whoever leads a connector there by such a name
    needs a password that is in no form, unless that server asks for none.
    """
    wanted = plan.settings
    found = list(shared(wanted.ledger_url, wanted.connectors, wanted.sources, hosts=addresses_of))
    if not found:
        return
    known = _applied(plan)
    wrong = [
        Mistake(f"{each.where}.url", f"leads to {each.own}; {_IN_THE_FILE}")
        for each in found
        if (each.where, each.url) not in known
    ]
    if wrong:
        raise SettingsError("what was to be published", wrong)


def _applied(plan: ApplyPlan) -> set[tuple[str, str]]:
    """Connectors and sources that lead there already, as they are written."""
    before = understood(plan.before, plan.settings.local)
    if before is None:  # nobody knows where it led
        return set()
    return {
        (each.where, each.url)
        for each in shared(before.ledger_url, before.connectors, before.sources, hosts=addresses_of)
    }
