"""A source that segments are read from, looked at step by step: what it gives first, and what its pages cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.connectors.inspection import Step, told
from workers.errors import SettingsError, TargetError
from workers.preflight.examination import Examination
from workers.preflight.findings import Finding
from workers.resync.planning import check_width, listing_of
from workers.resync.profiles import UnfitSource, told_fields
from workers.resync.source import MemberSource
from workers.routing.routes import Routes
from workers.settings.sources import SourceSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import Cost
    from workers.integrations import Integration, Segment
    from workers.resync.source import Membership
    from workers.settings import Settings
    from workers.settings.sources import AnySource

ANY_SEGMENT: Final = "1"
"""Asked for where no scope names a segment; that it has no members is no fault."""
COSTS: Final[dict[Cost, str]] = {
    "foreign": "each page passes over rows of other segments ({}); expected an index that begins with the segment's "
    "column, and then has that of `_id`",
    "sorts": "each page sorts all that is behind `{{after}}` ({}); expected an index that gives the order",
    "again": "each page passes over what is before `{{after}}` ({}); expected `{{after}}` to be compared with a column "
    "of the index that finds the segment, and with the one that is joined by it, too",
}
"""What a plan shows that grows with the table or the segment, and not with the page."""


def examine_source(
    settings: AnySource, source: Membership, integrations: Sequence[Integration], known: Mapping[str, str]
) -> Examination:
    """One source; `integrations` are read from it, `known` is what else is to be said of it by name of its step."""
    dialect = settings.address.dialect if isinstance(settings, SourceSettings) else "json"
    found = Examination(f"sources.{settings.key}", str(dialect), [])
    found.steps += [Step(name, "fine", what) for name, what in known.items()]
    if settings.fresh:
        found.steps += _tried("fresh", lambda: [Step("fresh", "fine", f"its data is {source.age():.1f} s old")])
    if isinstance(source, MemberSource):
        found.steps += _tried("members", lambda: _of_database(source, integrations))
    else:
        found.steps += _tried("members", lambda: _of_feed(source, integrations))
    return found


def _tried(name: str, look: Callable[[], Iterable[Step]]) -> list[Step]:
    """The steps of a look; or the one, of this name, that says why it could not be."""
    try:
        return list(look())
    except (TargetError, UnfitSource, SettingsError) as error:
        return [Step(name, "mistake", told(error) if isinstance(error, TargetError) else str(error))]


def examine_segments(read: Callable[[], list[Segment]], settings: Settings) -> Iterator[Step]:
    """A source's list of segments, read to its end: how many there are, and how many of them are followed."""
    try:
        listed = read()
    except (TargetError, UnfitSource, SettingsError) as error:
        yield Step("segments", "mistake", told(error) if isinstance(error, TargetError) else str(error))
        return
    routes = Routes(settings.integrations, settings.default_database)
    followed = sum(bool(routes.known(each).targets) for each in listed)
    what = f"{len(listed):,} are listed, and {followed:,} of them are in an integration's scope"
    if followed:
        yield Step("segments", "fine", what)
    else:
        yield Step("segments", "warning", f"{what}: `segsync resync --all` would ask for none")


def examine_listing(integration: Integration, open_lister: Callable[[], Lister]) -> Iterator[Finding]:
    """What is wrong with an integration's query `members`, tried on its target."""
    try:
        lister = open_lister()
        try:
            page = next(iter(lister.pages(listing_of(integration, segment_for([integration])))))
            check_width(page, len(integration.key_fields))
        finally:
            lister.close()
    except TargetError as error:
        yield Finding("mistake", f"integrations.{integration.key}.queries.members", told(error))


def segment_for(integrations: Sequence[Integration]) -> str:
    """A segment that somebody named, or any."""
    named = [id_ for each in integrations for id_ in sorted(each.scope.values) if each.scope.kind == "ids"]
    return named[0] if named else ANY_SEGMENT


def _of_database(source: MemberSource, integrations: Sequence[Integration]) -> Iterator[Step]:
    page = source.look()
    yield Step("members", "fine", f"{len(page.ids):,} first members, with the fields {', '.join(page.columns)}")
    yield from _keys(page.columns, integrations)
    if not source.paged:
        yield _whole()
    elif page.plan.cost in COSTS:
        yield Step("pages", "warning", COSTS[page.plan.cost].format(page.plan.line.strip()[:100]))
    elif page.plan.cost == "begins":
        yield Step("pages", "fine", "each page begins at `{after}`, by an index")
    else:
        yield Step("pages", "fine", "it comes in pages; what one costs beside itself, its database's plan does not say")


def _of_feed(source: Membership, integrations: Sequence[Integration]) -> Iterator[Step]:
    page = next(iter(source.everything()), None)
    many = len(page.ids) if page else 0
    yield Step("members", "fine", f"its first answer is whole, and has {many:,} members")
    for each in integrations if page else ():
        if page and not any(key is not None for key in page.keys(each.key_fields)):
            yield Step("keys", "mistake", _lacks(each, each.key_fields))
    if source.may_skip:
        what = "its pages are of texts, whose order nothing proves: whatever a run would remove needs your word"
        yield Step("pages", "warning", what)
    elif not source.paged:
        yield _whole()


def _whole() -> Step:
    what = "it has no pages of numbers: all members come at once, and a lane stands until the last one is delivered"
    return Step("pages", "warning", what)


def _keys(columns: Sequence[str], integrations: Sequence[Integration]) -> Iterator[Step]:
    roots = {column.partition(".")[0] for column in columns}
    for each in integrations:
        missing = [field for field in each.key_fields if field.partition(".")[0].partition("[")[0] not in roots]
        if missing:
            yield Step("keys", "mistake", _lacks(each, missing))
        elif others := sorted(told_fields(each) - roots):
            names = ", ".join(map(repr, others))
            what = f"it gives no {names}, which the query `add` of {each.key} names: a run would ask for your word"
            yield Step("fields", "warning", what)


def _lacks(integration: Integration, fields: Sequence[str]) -> str:
    names = ", ".join(map(repr, fields))
    return f"it gives no {names}, the key of {integration.key}: no member could be told"
