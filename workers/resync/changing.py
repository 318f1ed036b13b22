"""A run's changes, brought before its mark as its lane takes them: strays go, then members are told (rule 48)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from workers.events.event import Kind
from workers.resync.chosen import Chosen
from workers.resync.judging import FEW, REMOVALS
from workers.resync.keys_on_disk import line_of, remove, sign, token_of
from workers.resync.planning import keys_to_tell, spooled, spooling, write_down
from workers.resync.profiles import key_to_tell, profile_of_key
from workers.resync.room import gives_way, room_for, room_or_wait
from workers.resync.telling import MOST_UNDER_A_MARK, chunks_of
from workers.resync.work import (
    LONG_MS,
    SHORT_MS,
    finish,
    is_free,
    told_keyless,
    wait_until_free,
    while_wanted,
)
from workers.templates.scope import parse_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from workers.delivery.key_folding import Key
    from workers.resync.work import Work

SMALL = 20_000
"""Members that are told under the first mark: with more, the lane goes on between removals and members."""
SLICE_MS = 30_000
"""How long a lane stands at one mark while members are told, about."""
FEWER = (
    "the source gave {:,} of {:,} members, and had all of them before: rows of others may be gone; "
    "resync the segment again when the source is well"
)
UNPROVEN = (
    "its pages of texts may have skipped members, who would not have been told: the segment's flag stays until a run "
    "is confirmed"
)
NO_ROOM = (
    "{:,} were refused beside those in the quarantine, which had no room: retry or drop its entries, or raise "
    "max_quarantine, and resync the segment again"
)


def bring_removals(work: Work, mark: str, lane: dict[str, str]) -> None:
    """Removes what is no member's, and goes on with the members when all of that is delivered."""
    run = work.run
    strays, token = work.folder / "strays", token_of(work.folder, run.first)
    if not token or not strays.exists():
        _plan_again(work)
        return
    if (room := room_or_wait(work, lane)) <= 0:
        return
    lines, said = _lines_from(work, strays, token, room)
    if lines:
        steps = [parse_path(field) for field in work.integration.key_fields]
        keys = [tuple(json.loads(line)) for line in lines]
        bodies = [profile_of_key(key, work.integration.key_fields, steps) for key in keys]
        packed = list(chunks_of(mark, run.index, Kind.REMOVE, bodies, work.name))
        said |= {"index": packed[-1][1], "removed": run.removed + len(lines)}
        work.runs.part(run.id, 0, said, [chunk for chunk, _ in packed])
    elif not is_free(lane):
        wait_until_free(work)
    elif run.members <= SMALL or not _is_paged(work):
        work.runs.look(run.id, 0, {"state": "adding"})
    else:
        _leave(work, mark)


def _plan_again(work: Work) -> None:
    """What was planned lies on another host, or is gone: what was done is done, and the rest is found again."""
    work.runs.look(work.run.id, 0, {"state": "marked", "phase": "plan"})


def bring_members(work: Work, mark: str, lane: dict[str, str]) -> None:
    """Tells members, in slices of their own mark each; ends the run when the last one is delivered."""
    run = work.run
    if run.phase == "told":
        _end_when_free(work, mark, lane)
    elif run.repeated and token_of(work.folder, run.first) != run.disk:
        _plan_again(work)
    elif _is_paged(work) and run.members > SMALL and run.index > 0 and (_is_over(work) or gives_way(work, lane)):
        if is_free(lane):
            _leave(work, mark)
        else:
            wait_until_free(work)
    elif (room := room_or_wait(work, lane)) <= 0:
        return
    elif _is_paged(work):
        _bring_pages(work, mark, int(lane.get("before", "0")))
    else:
        _bring_spooled(work, mark, room)


def _is_paged(work: Work) -> bool:
    """Whether members are told page by page, as they are read; few are told as they were read to be compared.

    Where only what is missing is told, a host that follows another compares anew, and must come to the end in one go.
    """
    return work.source.paged and (work.run.members > SMALL or work.run.repeated > 0)


def _is_over(work: Work) -> bool:
    return work.now - work.run.reached > SLICE_MS or work.run.index > MOST_UNDER_A_MARK


def _bring_pages(work: Work, mark: str, before: int) -> None:
    with _wanted(work) as wanted:
        _bring_wanted_pages(work, mark, before, wanted)


def _bring_wanted_pages(work: Work, mark: str, before: int, wanted: Chosen | None) -> None:
    run, index, added = work.run, work.run.index, work.run.added
    for page in work.source.members(run.after, while_wanted(work)):
        profiles, keys, at = page.profiles(), list(keys_to_tell(page, work.integration)), 0
        while at < len(profiles):
            room = room_for(work, before)
            if room <= 0 or (index > run.index and _is_over(work)):
                work.runs.look(run.id, 0)
                return
            work.keep()
            bodies = list(_usable(profiles[at : at + room], keys[at : at + room], wanted))
            at = min(at + room, len(profiles))
            packed = list(chunks_of(mark, index, Kind.ADD, bodies, work.name))
            index, added, before = packed[-1][1] if packed else index, added + len(bodies), before + len(bodies)
            said = {"after": json.dumps(page.ids[at - 1]), "index": index, "added": added, "tries": 0, "why": ""}
            if not work.runs.part(run.id, LONG_MS, said, [chunk for chunk, _ in packed]):
                return
    work.runs.look(run.id, 0, {"phase": "told"})


def _bring_spooled(work: Work, mark: str, room: int) -> None:
    """Few members, and those of a source without pages, are told from the file; all of them under one mark."""
    run, file = work.run, spooled(work.folder)
    token = token_of(work.folder, run.first)
    if not token or not file.exists():
        _spool(work)
        token = token or sign(work.folder, run.first)
    lines, said = _lines_from(work, file, token, room)
    # Of this very file: hosts take turns, and who comes to an end has told what it has read, and no more.
    told, known = f"told {token}", work.runs.read(run.id)
    # An older version counted for the run alone what it had told of the file.
    before = run.added if f"{file.name} {token}" in known else 0
    added = run.added if run.repeated else int(known.get(told, before))
    if not lines:
        work.runs.look(run.id, 0, {"phase": "told", "added": added})
        return
    keys = (key_to_tell(line, work.integration) for line in lines)
    with _wanted(work) as wanted:
        bodies = list(_usable(lines, keys, wanted))
    packed = list(chunks_of(mark, run.index, Kind.ADD, bodies, work.name))
    said |= {"index": packed[-1][1] if packed else run.index}
    said |= dict.fromkeys(("added", told), added + len(bodies))
    work.runs.part(run.id, 0, said, [chunk for chunk, _ in packed])


def _spool(work: Work) -> None:
    with spooling(work.folder) as out:
        for page in work.source.everything(while_wanted(work)):
            write_down(out, page.profiles())
            work.keep()
        work.keep()  # who was stopped meanwhile puts nothing in place of what another has read


@contextmanager
def _wanted(work: Work) -> Iterator[Chosen | None]:
    """The members that are told, where a table would take what it has a second time; None for all (rule 48)."""
    if not work.run.repeated:
        yield None
        return
    with Chosen(work.folder / "missing", work.keep) as chosen:
        yield chosen


def _usable(bodies: list[bytes], keys: Iterable[Key | None], wanted: Chosen | None) -> Iterator[bytes]:
    for body, key in zip(bodies, keys, strict=True):
        if key is not None and (wanted is None or line_of(key) in wanted):
            yield body


def _end_when_free(work: Work, mark: str, lane: dict[str, str]) -> None:
    if not is_free(lane):
        wait_until_free(work)
        return
    said = {"quarantined": work.run.quarantined + work.refused(mark)}
    if work.runs.leave(work.run.id, SHORT_MS, said, _superseded(work)) != "ok":
        return
    remove(work.folder)
    if why := _lacks(work):
        finish(work, "failed", why, said, flag=True)
    elif counted := int(work.runs.read(work.run.id).get("counted", 0)):
        finish(work, "done", NO_ROOM.format(counted), said, flag=True)
    elif work.source.may_skip and work.run.accept_removals is None:
        finish(work, "done", UNPROVEN, said)
    else:
        finish(work, "done", told_keyless(work.run.keyless), said, unflag_to=work.run.first)


def _lacks(work: Work) -> str:
    """Why what was told is no whole segment, by the members that were compared; "" where it is one."""
    run = work.run
    if run.repeated:  # only missing ones were told
        return ""
    if (run.members and not run.added) or run.members - run.added > max(FEW, REMOVALS * run.members):
        return FEWER.format(run.added, run.members)
    return ""


def _superseded(work: Work) -> str:
    """Up to where what was refused says nothing any more. Who only tells members again does not know who has left."""
    return "" if work.run.mode == "resend" else work.run.first


def _leave(work: Work, mark: str) -> None:
    """Lets the lane go on; the next mark comes through the intake, and the source is read behind it."""
    quarantined = work.run.quarantined + work.refused(mark)
    said = {"state": "between", "phase": "adds", "quarantined": quarantined}
    if work.runs.leave(work.run.id, 0, said, _superseded(work)) == "busy":
        work.runs.look(work.run.id, SHORT_MS)


def _lines_from(work: Work, path: Path, token: str, most: int) -> tuple[list[bytes], dict[str, int]]:
    """The next lines of a file, and how far that is, as the run notes it: for these very files.

    Hosts take turns, and each has read the same list at another time: a place in one's file is none in another's.
    """
    field = f"{path.name} {token}"
    place = int(work.runs.read(work.run.id).get(field, 0))
    with path.open("rb") as file:
        file.seek(place)
        lines = list(islice(file, most))
    return [line.rstrip(b"\n") for line in lines], {field: place + sum(map(len, lines))}
