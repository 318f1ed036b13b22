"""The quarantine: what could not be delivered, its data masked until somebody asks for it, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import StreamingResponse

from workers.console import purging
from workers.console.masking import masked
from workers.console.routes import Act, PageRoute
from workers.console.visit import place
from workers.control import quarantine as control
from workers.errors import SegsyncError, WrongUsage
from workers.ledger.tables import STATES
from workers.quarantine import entries as quarantine
from workers.quarantine.exporting import export_lines
from workers.quarantine.past_tries import history
from workers.quarantine.requeue import why_not_retried
from workers.settings.segment_ids import segment_id_if_any
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.quarantine.entries import Selection
    from workers.quarantine.requeue import Requeued

LISTED: Final = 100
"""Entries on the page, the newest."""
PATIENCE_SECONDS: Final = 5.0
"""How long a browser waits for outcomes that are on their way to the ledger."""
WHY_SHOWN: Final = 3
"""Reasons that are told of entries that stay as they are."""
NAMED: Final = ("integration", "segment", "code")
"""By what entries are chosen that are not marked one by one."""
LONGEST_ID: Final = 19
"""Digits of the greatest id."""


def show(visit: Visit) -> Response:
    """The list; `integration`, `segment`, `code` and `state` of the query leave out entries."""
    query, ledger = visit.query, visit.site.ledger()
    state = query.get("state") or "open"
    if state != "all" and state not in STATES:
        raise WrongUsage(f"state {state[:60]!r}: expected one of {', '.join(STATES)}, all")
    integration, segment, code = (query.get(name) or None for name in NAMED)
    segment = segment_id_if_any(segment)
    found = quarantine.list_entries(ledger, integration, LISTED, None if state == "all" else state, code, segment)
    return visit.page(
        "quarantine.html",
        entries=found,
        counts={key or "": many for key, many in quarantine.count_open(ledger).items()},
        states=(*STATES, "all"),
        state=state,
        integration=integration or "",
        segment=segment or "",
        code=code or "",
        most=LISTED,
    )


def entry(visit: Visit) -> Response:
    """One entry, masked."""
    return _entry(visit, revealed=False)


def reveal(visit: Visit) -> Response:
    """The same with all that is known of it."""
    return _entry(visit, revealed=True)


def _entry(visit: Visit, *, revealed: bool) -> Response:
    ledger = visit.site.ledger()
    found = quarantine.show(ledger, _id(visit.path["id"]))
    payload = found.payload.decode(errors="backslashreplace") if revealed else masked(found.payload)
    return visit.page(
        "entry.html",
        entry=found,
        payload=payload,
        revealed=revealed,
        tries=history(ledger, found),
        stays=why_not_retried(found),
        at=place("quarantine", found.id),
    )


def _id(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > LONGEST_ID:
        raise quarantine.UnknownEntry(f"no quarantine entry {text[:40]!r}")
    return int(text)


def retry(visit: Visit) -> Response:
    """As `segsync quarantine retry`."""
    done = control.retry(visit.site.runtime(), _wanted(visit), visit.viewer.name, PATIENCE_SECONDS)
    return visit.go(_back(visit), _told(done, "on its way once more", "on their way once more"))


def drop(visit: Visit) -> Response:
    """As `segsync quarantine drop`."""
    done = control.drop(visit.site.runtime(), _wanted(visit), visit.viewer.name, PATIENCE_SECONDS)
    return visit.go(_back(visit), _told(done, "dropped", "dropped"))


def purge(visit: Visit) -> Response:
    """As `segsync quarantine purge`."""
    done = purging.purge(visit.site.ledger(), visit.required("older_than"))
    entries = counted(done.entries, "resolved entry is", "resolved entries are")
    return visit.go("/quarantine", f"{entries} deleted: all from before {done.before:%Y-%m-%d %H:%M} UTC")


def export(visit: Visit) -> Response:
    """As `segsync quarantine export`: the entries with their data, as a file of JSON lines."""
    wanted = _wanted(visit)
    quarantine.count(visit.site.ledger(), wanted)  # what is unknown is said before anything is sent
    headers = {"content-disposition": 'attachment; filename="quarantine.jsonl"'}
    lines = export_lines(visit.site.ledger(), wanted)
    return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _wanted(visit: Visit) -> Selection:
    """The entries that were marked; or all open ones that fit, where that was said. WrongUsage."""
    if visit.field("which") == "fitting":
        integration, segment, code = (visit.field(name) or None for name in NAMED)
        if not (integration or segment or code):
            raise WrongUsage("which entries? expected an integration, a segment or a code, or entries that are marked")
        return quarantine.Selection((), integration, code, segment=segment_id_if_any(segment))
    ids = tuple(map(_id, visit.form.get("id", ())))
    if not ids:
        raise WrongUsage("no entry is marked; expected at least one")
    return quarantine.Selection(ids)


def _told_entries(visit: Visit) -> str:
    """Which they are, for the audit log, as the command has it there."""
    try:
        return control.words_of(_wanted(visit))
    except SegsyncError:
        return ""  # it is refused for that


def _back(visit: Visit) -> str:
    return "/quarantine" + (f"?{back}" if (back := visit.field("back")).startswith("integration=") else "")


def _told(done: Requeued, one: str, many: str) -> str:
    left = "".join(f"\n{entry_id} stays as it is: {why}" for entry_id, why in done.left[:WHY_SHOWN])
    more = f"\nand {done.skipped - WHY_SHOWN:,} more stay as they are" if done.skipped > WHY_SHOWN else ""
    return f"{counted(done.entries, f'entry is {one}', f'entries are {many}')}{left}{more}"


PAGES: Final = (PageRoute("/quarantine", show), PageRoute("/quarantine/{id}", entry))
ACTS: Final = (
    Act("/quarantine/retry", "quarantine retry", retry, told=_told_entries),
    Act("/quarantine/drop", "quarantine drop", drop, told=_told_entries),
    Act("/quarantine/export", "quarantine export", export, told=_told_entries),
    Act(
        "/quarantine/purge",
        "quarantine purge",
        purge,
        told=lambda visit: purging.told_purge(visit.field("older_than")),
    ),
    Act("/quarantine/{id}/reveal", "quarantine show", reveal, on="id"),
)
