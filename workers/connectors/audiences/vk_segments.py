"""VK's segments: each makes one list usable, is named as it, and stays when another list takes its place.

ads.vk.com/doc: Segments, Segment, SegmentRelations, SegmentRelation. They can only be listed, all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from workers import failpoints
from workers.connectors.audiences.http import id_number, objects
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from workers.connectors.audiences.http import HttpAnswer
    from workers.connectors.audiences.shared_list import SharedList
    from workers.connectors.audiences.store.audiences import Audience

SEGMENTS: Final = "/api/v2/remarketing/segments"
OF_LISTS: Final = "remarketing_users_list"
"""The type of a segment's relation that leads to a list."""
LONGEST_TITLE, LONGEST_NAME = 120, 255
"""Characters of a segment's name that are told, and of what a list is called: with our mark, which is as long as the
keys in it, all must fit."""
OURS: Final = "segsync "
"""Stands in each mark (`Audience.mark`)."""
LISTINGS_LAG_MS: Final = 600_000
"""Milliseconds after which what was made is surely listed."""


class Ask(Protocol):
    """One call, with a token that is good; CallFailed, TargetError."""

    def __call__(self, method: str, path: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as `Http.send`
        """Its answer, a success."""


def name_of(audience: Audience) -> str:
    """What a list and its segment are called."""
    mark = f" · {audience.mark}"
    return audience.title[: min(LONGEST_TITLE, LONGEST_NAME - len(mark))] + mark


def delete(ask: Ask, path: str) -> None:
    """It goes; what is gone is no error."""
    try:
        ask("DELETE", f"{path}.json")
    except CallFailed as failed:
        if failed.fault is not Fault.GONE:
            raise


class VkSegments:
    """The segments of one login.

    pages   of what a path lists
    shared  what was listed last: all segments are listed at once, so one list does for all that are made
    """

    def __init__(
        self, ask: Ask, pages: Callable[[str, dict[str, str]], Iterator[dict[str, Any]]], shared: SharedList
    ) -> None:
        self._ask = ask
        self._pages = pages
        self._shared = shared
        self._made: set[str] = set()
        self._listed: set[str] = set()

    def make(self, audience: Audience) -> bool:
        """The list has one segment, and no more; returns whether that was known before.

        One that was made and not heard of may be listed later: then the younger one goes, unless something uses it.
        """
        if audience.remote in self._listed:
            return True
        found = _marked(audience, self._shared.names(self._named))
        if found:
            self._listed.add(audience.remote)
            self._delete_twins(found[1:])
        elif audience.remote not in self._made:
            self._create(audience)
            self._made.add(audience.remote)
        return False

    def rename(self, audience: Audience) -> None:
        """They are called as the list is."""
        for each in self._of(audience):
            self._ask("POST", f"{SEGMENTS}/{each}.json", body={"name": name_of(audience)})

    def delete(self, audience: Audience) -> None:
        """They go; CallFailed (IN_USE) where a campaign uses one."""
        for each in self._of(audience):
            delete(self._ask, f"{SEGMENTS}/{each}")

    def lead_to_the_new(self, audience: Audience) -> None:
        """They lead to another list than before, and never to none; one is made where there was none."""
        for each in self._of(audience):
            self._lead(audience, f"{SEGMENTS}/{each}")
        self.make(audience)

    def _lead(self, audience: Audience, segment: str) -> None:
        """A segment must have as many sources as its condition wants: so the new one comes first."""
        relations = f"{segment}/relations"
        query = {"fields": "id,object_id,object_type,params"}
        found = objects(self._ask("GET", f"{relations}.json", query=query).field("items"))
        lists = [(each.get("id"), _source(each)) for each in found if each.get("object_type") == OF_LISTS]
        if audience.remote not in {source for _, source in lists}:
            self._ask("POST", f"{relations}.json", body={"items": [_relation(audience.remote)]})
        for number in [number for number, source in lists if source == audience.replaced]:
            delete(self._ask, f"{relations}/{id_number(number)}")
        self._ask("POST", f"{segment}.json", body={"name": name_of(audience)})

    def _create(self, audience: Audience) -> None:
        body = {"name": name_of(audience), "pass_condition": 1, "relations": [_relation(audience.remote)]}
        reach(failpoints.BEFORE_SEGMENT)
        try:
            made = self._ask("POST", f"{SEGMENTS}.json", body=body)
        except CallFailed as failed:
            if failed.fault is Fault.UNHEARD:
                failed.wait_ms = LISTINGS_LAG_MS  # then it is looked for once more
            raise
        reach(failpoints.AFTER_SEGMENT)
        self._shared.made(id_number(made.field("id")), name_of(audience))

    def _delete_twins(self, younger: list[str]) -> None:
        for each in younger:
            try:
                delete(self._ask, f"{SEGMENTS}/{each}")
            except CallFailed as failed:
                if failed.fault is not Fault.IN_USE:
                    raise

    def _of(self, audience: Audience) -> list[str]:
        """Those of an audience, as they are now."""
        return _marked(audience, self._named())

    def _named(self) -> dict[str, str]:
        """Those that segsync has made, each with its name."""
        found = ((str(each["id"]), str(each.get("name", ""))) for each in self._pages(f"{SEGMENTS}.json", {}))
        return {number: name for number, name in found if OURS in name}


def _marked(audience: Audience, names: Mapping[str, str]) -> list[str]:
    """Segments that bear its mark, or that of the list whose place it takes; the oldest first."""
    marks = (audience.mark, audience.mark_before) if audience.replaced else (audience.mark,)
    mine = (number for number, name in names.items() if name.endswith(marks))
    return sorted(mine, key=lambda each: each.zfill(24))


def _relation(remote: str) -> dict[str, Any]:
    return {"object_type": OF_LISTS, "params": {"source_id": int(remote), "type": "positive"}}


def _source(relation: dict[str, Any]) -> str:
    """The list that a segment's relation leads to."""
    params = relation.get("params")
    return id_number(params.get("source_id")) if isinstance(params, dict) else ""
