"""Whether a source has what was pushed before a run's mark, and how long it is waited for (rule 46)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from workers.errors import ErrorClass, Phase, TargetError
from workers.resync.age import SKEW_SECONDS, AheadOfItsClock
from workers.resync.profiles import UnfitSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.resync.work import Work

SENDING_MS: Final = 5_000
"""What the sending of a mark takes at the most, from the moment that its run remembers."""
STALE_MS: Final = 600_000
"""How long a lane stands at its mark for a source that is behind."""
BEHIND: Final = "the source does not have yet what was pushed"


def is_waited_for(work: Work, mark: str, longest_ms: int) -> bool:
    """Whether the source is not yet known to be as new as the mark: the run then looks again, within `longest_ms`.

    TargetError; UnfitSource where that takes too long, or could not help.
    """
    now, sent = work.now, sent_ms(work, mark)
    since = work.run.late or now
    try:
        late, why = _late(work, now, sent), BEHIND
        given_up = f"its data is still {late / 1000:.0f} s too old{_of_clock(work)}"
    except AheadOfItsClock as ahead:
        ahead_ms = round(ahead.seconds * 1000)
        why = given_up = _told(ahead_ms, now)
        if ahead_ms > STALE_MS:
            raise UnfitSource(f"{why}; {_unchanged(work)}: so much no clock is wrong, look for a zone") from None
        late = longest_ms
        work.runs.look(work.run.id, None, {"ahead": max(work.run.ahead, ahead_ms), "ahead_at": now})
    if late <= 0:
        return False
    if now - since > STALE_MS:
        raise UnfitSource(f"{given_up}; {_unchanged(work)}")
    work.runs.look(work.run.id, min(late, longest_ms), {"why": why, "late": since})
    return True


def _late(work: Work, now: int, sent: int) -> int:
    """Milliseconds that the source is too old for the mark, or is to be given; 0 where it can be read.

    Two clocks that are kept right may differ by a little, and the one that tells the age be that much behind.

    Of one that was seen to be further behind nothing tells whether it is right by now, or its data just grows older:
    that comes to nothing with time, too. So it has to be right for as long as it was wrong.
    """
    if not work.settings.fresh:
        return max(0, round(work.settings.delay * 1000) - (now - sent))
    return _behind(work, work.source.age(), now, sent)


def _behind(work: Work, age: float, now: int, sent: int) -> int:
    need = round((age + SKEW_SECONDS) * 1000)
    return max(0, need + work.run.ahead - (now - max(sent, work.run.ahead_at)))


def check_session(work: Work, age: Callable[[], float]) -> None:
    """TargetError where a session that is read in gives what is too old for the mark that stands.

    The one that was asked before had it newer: behind the address there are several servers, and another has answered.
    """
    mark = work.mark_of(work.lane())
    if not mark:
        return
    now = work.now  # of before it answers: however long that takes, its data is no newer for it
    try:
        late = _behind(work, age(), now, sent_ms(work, mark))
        why = f"data is {late / 1000:,.1f} s too old"
    except AheadOfItsClock as ahead:
        late, why = 1, f"clock is {ahead.seconds:,.0f} s behind its data"
    if late > 0:
        what = f"of the servers behind its address another may have answered, whose {why}"
        raise TargetError(ErrorClass.RETRY, "source replica", what, phase=Phase.EXECUTE) from None


def _told(ahead_ms: int, now: int) -> str:
    return (
        f"at {_time(now)} UTC its data is of {_time(now + ahead_ms)}, as `fresh` says: the source's clock is "
        f"{ahead_ms / 1000:,.0f} s behind the one that dates its data, so nothing tells how old that is; expected both "
        "clocks to be right, or one of them to tell both times"
    )


def _of_clock(work: Work) -> str:
    if not work.run.ahead:
        return ""
    was, until = f"{work.run.ahead / 1000:,.0f} s", _time(work.run.ahead_at)
    return f", since its clock was {was} behind the one that dates it until {until} UTC, and has to be right as long"


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%H:%M:%S}"


def _unchanged(work: Work) -> str:
    return "no more was changed" if work.run.told else "nothing was changed"


def sent_ms(work: Work, mark: str) -> int:
    """When the mark was sent: behind an id of the future its sequence says when that will be."""
    return min(int(mark[:13]), work.run.marked + SENDING_MS)
