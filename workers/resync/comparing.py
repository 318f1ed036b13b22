"""At a run's first mark: compare, judge, and begin to change, or only tell (rules 46, 47)."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from workers.events.event import Kind
from workers.lanes.answers import fields_of
from workers.lanes.runs import BY_ENTERING
from workers.resync import changing
from workers.resync.chosen import digest_of
from workers.resync.folded import find_folded
from workers.resync.judging import Accepted, Today, doubts, doubts_of_clearing, doubts_of_fields, sharing
from workers.resync.keys_on_disk import KeyDifference, adopt, draft_of, read_lines, remove, remove_drafts, sign
from workers.resync.planning import Planner
from workers.resync.profiles import UnfitSource
from workers.resync.telling import MOST_UNDER_A_MARK, chunks_of
from workers.resync.work import finish, is_free, shown_text, stop, told_keyless, while_wanted

if TYPE_CHECKING:
    from pathlib import Path

    from workers.resync.work import Work

MOST_REMEMBERED = 1_000_000
"""Differences of a first look that a second one is held against; what is beyond is told as it is."""
FEW_REMEMBERED = 1_000
"""Differences that the run itself remembers, as any host may look next. More lie on the disk of who has looked."""
_NOTED = "differed: "
ANYWHERE = "1"
"""What was noted of an integration's removals before it was noted where they were."""
LOOKS = 2
"""How often a verification compares, with a mark between, before it tells what differs (rule 49)."""


class ComparedSides(NamedTuple):
    """What a run's source and target have; `numbers` as the run notes them."""

    found: KeyDifference
    numbers: dict[str, int]


def compare(work: Work) -> ComparedSides:
    """Reads both to their ends; the run's mark has been reached. TargetError and UnfitSource; nothing is changed."""
    most = changing.SMALL if work.source.paged else sys.maxsize
    spool = 0 if work.run.verifies else most
    planner = Planner(work.integration, work.run.segment, work.way.open, while_wanted(work), spool=spool)
    work.keep()
    remove_drafts(work.folder)
    draft = draft_of(work.folder)
    try:
        found = planner.plan(work.source, draft)
        find_folded(found, work.integration, work.run.segment, work.way, while_wanted(work))
        work.keep()  # who was stopped meanwhile, and taken for dead, puts nothing in place of what another has read
        adopt(draft, work.folder)
    finally:
        remove(draft)
    found.folder, found.lacking = work.folder, planner.lacking
    numbers = {
        "members": found.members,
        "rows": found.rows,
        "missing": found.missing,
        "strays": found.strays,
        "spelled": found.spelled,
        "folded": found.folded,
        "repeated": found.repeated,
        "unusable": planner.unusable,
        "keyless": planner.keyless,
    }
    return ComparedSides(found, numbers)


def begin(work: Work, mark: str, compared: ComparedSides) -> None:
    """Judges what was found, and begins to change what is to be, or only tells."""
    found, numbers = compared
    if work.run.verifies:
        _tell(work, found, numbers)
        return
    accepted = _accepted(work)
    listed = work.run.mode == "diff"
    reasons = [*doubts_of_fields(found, accepted, listed=listed), *_doubts(work, found, accepted)]
    gives_up = not (work.has_cleared and found.members)  # else its rows are gone, and there is whom to tell
    if reasons and gives_up:
        stop(work, "needs confirmation", "; ".join(reasons), {**numbers, "shown": shown_text(found.shown)})
        return
    if why := _too_many(work, found):
        if not gives_up:
            raise UnfitSource(why)
        stop(work, "failed", why, numbers)
        return
    _begin(work, mark, found, numbers)


def _accepted(work: Work) -> Accepted:
    """What a person has said yes to, of what was compared then: other queries, or another source, compare another."""
    run = work.run
    if run.accepted_of and run.accepted_of != work.digest():
        return Accepted()
    return Accepted(run.accept_removals, run.accept_adds)


def _doubts(work: Work, found: KeyDifference, accepted: Accepted) -> list[str]:
    today, shared = _today(work), sharing(work.integration, work.followers())
    if work.run.mode == "diff":
        entering = work.run.by == BY_ENTERING
        return doubts(found, accepted, today, shared=shared, entering=entering, may_skip=work.source.may_skip)
    if work.run.mode == "resend":
        return []
    return doubts_of_clearing(found, accepted, today, shared=shared, may_skip=work.source.may_skip)


def _too_many(work: Work, found: KeyDifference) -> str:
    """Why the first mark cannot have all of it before it; "" where it can: a mark has its own place in the order."""
    in_slices = work.source.paged and found.members > changing.SMALL
    told = found.missing if found.repeated else found.members
    many = work.run.index + found.strays + (0 if in_slices else told)
    if many <= MOST_UNDER_A_MARK:
        return ""
    nothing = "no more was changed" if work.run.told else "nothing was changed"
    return (
        f"{found.strays:,} rows to remove and {told:,} members to tell are more than the "
        f"{MOST_UNDER_A_MARK:,} that can be told at once; {nothing}: expected a source that pages by a "
        "number, whose members are told in slices, and fewer rows to remove"
    )


def _begin(work: Work, mark: str, found: KeyDifference, numbers: dict[str, int]) -> None:
    """From here on the target changes."""
    run = work.run
    _note_today(work, found)
    said: dict[str, Any] = {**numbers, "tries": 0, "why": "", "after": "", "told": 1}
    # Of rows those count that went by an earlier plan, too. All members are told again, but where a key is there twice.
    said |= {"strays": run.removed + found.strays, "added": run.added if found.repeated else 0}
    said |= {"disk": sign(work.folder, run.first), "cleared": run.cleared or ""}
    if run.mode == "replace":
        (chunk, index), *_ = chunks_of(mark, run.index, Kind.CLEAR, [b""], work.name)
        said |= {"state": "adding", "index": index, "cleared": work.clearing_digest()}
        work.runs.part(run.id, 0, said, [chunk])
        return
    work.runs.look(run.id, 0, {**said, "state": "removing"})


def _tell(work: Work, found: KeyDifference, numbers: dict[str, int]) -> None:
    """What a verification has found; where something differs, it looks once more."""
    looks = work.run.looks + 1
    seen = work.folder.with_name(f"{work.folder.name}-looked")
    differs = found.missing + found.strays + found.spelled + numbers["keyless"] > 0
    before = _seen(work, seen) if differs and looks >= LOOKS else None
    if before is not None:
        numbers |= _again(found, before)
        differs = sum(numbers[each] for each in ("missing", "strays", "spelled", "keyless")) > 0
    if not differs or looks > LOOKS or before is not None:
        outcome = "differs" if differs else "equal"
        seen.unlink(missing_ok=True)
        if work.runs.leave(work.run.id, None, {}) == "ok":
            finish(work, outcome, told_keyless(numbers["keyless"]), {**numbers, "shown": shown_text(found.shown)})
        return
    remembered = _remember(work, found, seen)
    if is_free(work.lane()):
        work.runs.leave(work.run.id, 0, {"state": "between", "looks": looks, "seen": remembered})


def _lines(found: KeyDifference) -> list[tuple[str, Path]]:
    return [("missing", found.missing_file), ("strays", found.strays_file), ("spelled", found.spelled_file)]


def _named(what: str, line: bytes) -> bytes:
    return what.encode() + b" " + line


def _has(digests: array[int], digest: int) -> bool:
    at = bisect_left(digests, digest)
    return at < len(digests) and digests[at] == digest


def _remember(work: Work, found: KeyDifference, seen: Path) -> str:
    """What differs, as the run notes it; "" where it is too much, and stands in the file alone."""
    digests = (digest_of(_named(what, line)) for what, path in _lines(found) for line in read_lines(path))
    known = array("Q", islice(digests, MOST_REMEMBERED))
    if len(known) <= FEW_REMEMBERED:
        return _NOTED + " ".join(f"{digest:x}" for digest in known)
    # Elsewhere until it is whole: what is not in a part of it, as a full disk leaves one, would be no difference.
    draft = work.folder / seen.name
    with draft.open("wb") as file:
        array("Q", [_configuration(work)]).tofile(file)
        known.tofile(file)
    draft.rename(seen)
    return ""


def _configuration(work: Work) -> int:
    """What a host has seen by another one, before that was applied, would hide what differs by this one."""
    return int(work.digest(), 16)


def _seen(work: Work, seen: Path) -> array[int] | None:
    """What differed at an earlier look; None where this host does not know."""
    if noted := work.run.seen:
        return array("Q", [int(digest, 16) for digest in noted.removeprefix(_NOTED).split()])
    if not seen.exists():
        return None
    before = array("Q")
    before.frombytes(seen.read_bytes())
    # An older version did not note by which configuration, and nothing at all where rows without a key were all.
    return before[1:] if before[:1] == array("Q", [_configuration(work)]) else None


def _again(found: KeyDifference, before: array[int]) -> dict[str, int]:
    """What differed at an earlier look, too."""
    before = array("Q", sorted(before))  # a set would take a hundred bytes for each
    counts = dict.fromkeys(("missing", "strays", "spelled"), 0)
    for what, path in _lines(found):
        found.shown.pop(what, None)
        for line in read_lines(path):
            if len(before) >= MOST_REMEMBERED or _has(before, digest_of(_named(what, line))):
                counts[what] += 1
                found.show(what, line)
    return counts


def _today(work: Work) -> Today:
    known = fields_of(work.redis, work.keys.removals(work.run.integration))
    ever = known.get("ever") in {ANYWHERE, work.removing_digest()}
    if known.get("day") != _day():
        return Today(ever=ever)
    return Today(int(known.get("rows", 0)), int(known.get("removed", 0)), ever)


def _note_today(work: Work, found: KeyDifference) -> None:
    run = work.run
    key, before = work.keys.removals(run.integration), _today(work)
    removed, rows = (found.stray_rows if run.mode == "diff" else 0), found.rows
    if run.told:  # it has begun before: what it planned then is in the sums
        removed, rows = max(0, removed - max(0, run.strays - run.removed)), 0
    said: dict[str, Any] = {"day": _day(), "rows": before.rows + rows, "removed": before.removed + removed}
    if removed or run.mode == "replace":
        said["ever"] = work.removing_digest()
    work.redis.hset(key, mapping=said)  # type: ignore[arg-type]


def _day() -> str:
    return datetime.now(UTC).date().isoformat()
