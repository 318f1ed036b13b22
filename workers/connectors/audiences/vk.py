"""VK Ads: one list of users for each kind of id, changed by files, and a segment for each list.

ads.vk.com/doc: RemarketingUsersLists, RemarketingUsersList, Segments, SegmentRelations, throttling. A list is added to
and taken from by further lists, which name it as their base. A list has no place for a mark of ours but its name.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.http import as_told, id_number, objects, retry_after_ms, with_a_good_token, word
from workers.connectors.audiences.vk_segments import VkSegments, delete, name_of
from workers.connectors.audiences.wire import AccountSigns, Answered, CallFailed, CallProgress, Fault, Sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from workers.connectors.audiences.http import Http, HttpAnswer
    from workers.connectors.audiences.shared_list import SharedList
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Change, ReplacePart

LISTS: Final = "/api/v3/remarketing/users_lists"
PAGE: Final = 50
"""Lists that one answer has at most."""
TWICE: Final = "duplicated_user_id"
"""The code of a line that is in its file already: who it stands for is taken."""
FEWEST: Final = 25
"""Lines of a change: fewer are refused, so the rest is made up."""
_WORKING: Final = frozenset({"receiving", "received", "mapping", "mapped", "writing"})
_MADE_UP_ACCOUNT: Final = 10**17
"""Beyond all accounts of VK and Odnoklassniki."""


_MEANS: Final = {
    401: (Fault.LOGIN, "the token is refused"),
    404: (Fault.GONE, "the list is not there any more"),
    409: (Fault.IN_USE, "the list is in use"),
    429: (Fault.BUDGET, "the platform's limit of calls is used up"),
}
"""By HTTP's status; what else is below 500 is a refusal."""
_SERVERS_OWN: Final = (Fault.UNHEARD, "the platform failed")


class VkWire:
    """`wire.PlatformWire` for one login.

    token, renew  as `TokenKeeper.token` and `TokenKeeper.renew`
    shared        the list of all segments
    """

    def __init__(self, http: Http, token: Callable[[], str], renew: Callable[[str], str], shared: SharedList) -> None:
        self._http = http
        self._token = token
        self._renew = renew
        self._segments = VkSegments(self._ask, self._pages, shared)
        self._ready: set[str] = set()

    def account(self) -> str:
        """As `PlatformWire.account`: VK says that we may, and not who we are."""
        self._ask("GET", f"{LISTS}.json", query={"limit": "1", "offset": "0"})
        return ""

    def take_back(self, since_ms: int, until_ms: int, ours: Collection[str]) -> None:
        """As `PlatformWire.take_back`: `find` sees what was made twice."""

    def signs(self) -> AccountSigns:
        """As `PlatformWire.signs`: it is not asked for them."""
        return AccountSigns()

    def find(self, audience: Audience) -> Sequence[Sighting]:
        """As `PlatformWire.find`: by the mark in the name."""
        return [
            Sighting(str(each["id"]), str(each["id"]).zfill(24))
            for each in self._listed(audience.mark)
            if str(each.get("name", "")).endswith(audience.mark) and not each.get("base")
        ]

    def create(self, audience: Audience, rows: Sequence[SentRow]) -> Answered:
        """As `PlatformWire.create`; the segment is made when the list is ready."""
        return self._upload(audience, rows, {})

    def confirm(self, audience: Audience) -> None:
        """As `PlatformWire.confirm`: what was begun is real."""

    def change(self, audience: Audience, change: Change, rows: Sequence[SentRow]) -> Answered:
        """As `PlatformWire.change`."""
        return self._upload(audience, rows, {"base": audience.remote if change == "add" else f"-{audience.remote}"})

    def begin_replacing(self, audience: Audience) -> str:
        """As `PlatformWire.begin_replacing`: another list takes the place of this one."""
        return audience.remote

    def replace(self, audience: Audience, rows: Sequence[SentRow], part: ReplacePart) -> Answered:  # noqa: ARG002 - as it says
        """As `PlatformWire.replace`: the other list is told as always."""
        return self.change(audience, "add", rows)

    def take_out_the_rest(self, audience: Audience) -> Answered:
        """As `PlatformWire.take_out_the_rest`: the segment leads to the new list, and the old one goes.

        The segment stays, since campaigns aim at it. Where there is no new list, as it would have too few members,
        nothing is left.
        """
        if not audience.remote:
            self.delete(audience)
            return Answered(applied=True, replaced=True)
        self._segments.lead_to_the_new(audience)
        self._delete(f"{LISTS}/{audience.replaced}")
        return Answered(applied=True, replaced=True)

    def poll(self, audience: Audience, call: OpenCall) -> CallProgress:
        """As `PlatformWire.poll`; a list that is ready gets its segment, without which nobody can use it.

        Whether a change can be asked for by its own id once it is done, VK does not say: else its list is asked for.
        """
        gone = False
        try:
            state = "ready" if call.handle in self._ready else self._status(call.handle)
        except CallFailed as failed:
            if failed.fault is not Fault.GONE or call.handle == audience.remote:
                raise
            gone, state = True, self._status(audience.remote)
        if state == "ready":
            if not audience.replaced:
                if not gone:
                    self._ready.add(call.handle)  # where looks are few, what was seen is not asked again
                self._bring_to_use(audience)
                self._ready.discard(call.handle)
            return CallProgress("done", of_audience=gone)
        if state in _WORKING:
            return CallProgress("working")
        return CallProgress("failed", code="vk-ads list lost")

    def _status(self, number: str) -> str:
        return str(self._ask("GET", f"{LISTS}/{number}.json").field("status"))

    def rename(self, audience: Audience) -> None:
        """As `PlatformWire.rename`: list and segment."""
        self._ask("POST", f"{LISTS}/{audience.remote}.json", body={"name": name_of(audience)})
        self._segments.rename(audience)

    def delete(self, audience: Audience) -> None:
        """As `PlatformWire.delete`: the segment first, since a list in use stays."""
        lists = [each for each in (audience.remote, audience.replaced) if each]
        self._segments.delete(audience)
        for each in lists:
            self._delete(f"{LISTS}/{each}")

    def _bring_to_use(self, audience: Audience) -> None:
        """Its segment leads to it; a list that was made twice, since nobody heard of the first, goes."""
        if self._segments.make(audience):
            return
        for each in self.find(audience):
            if each.remote != audience.remote:
                self._delete(f"{LISTS}/{each.remote}")

    def _delete(self, path: str) -> None:
        delete(self._ask, path)

    def _upload(self, audience: Audience, rows: Sequence[SentRow], base: dict[str, str]) -> Answered:
        """A file of ids; what VK cannot read of it is left out, and told line by line."""
        lines = [row.values[audience.list] for row in rows]
        lines += _made_up(audience.list, FEWEST - len(lines)) if base else []
        form = {"name": name_of(audience), "type": audience.list} | base
        answer = self._ask("POST", f"{LISTS}.json", form=form, file="\n".join(lines).encode())
        remote = id_number(answer.field("id"))
        if not remote:
            raise _failed(Fault.UNHEARD, "answer", "the answer to an upload names no list")
        named = _named_lines(answer.field("error"))
        refused = {at: code for at, code in named if at < len(rows) and code != TWICE}
        return Answered(remote=remote, handle=remote, refused=refused)

    def _listed(self, mark: str) -> Iterator[dict[str, Any]]:
        return self._pages(f"{LISTS}.json", {"_q": mark[:255]})

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        offset, before = 0, list[object]()
        while True:
            answer = self._ask("GET", path, query=query | {"limit": str(PAGE), "offset": str(offset)})
            found = answer.field("items")
            if not isinstance(found, list):
                raise _failed(Fault.UNDONE, "answer", "the list that was asked for is none")
            if found and found == before:
                raise _failed(Fault.UNDONE, "answer", "the list does not end")
            before = found
            yield from (each for each in found if isinstance(each, dict) and "id" in each)
            if len(found) < PAGE:
                return
            offset += PAGE

    def _ask(self, method: str, path: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as `Http.send`
        """One call; a token that is refused is renewed, once."""
        return with_a_good_token(self._token, self._renew, lambda token: self._call(method, path, token, **options))

    def _call(self, method: str, path: str, token: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as above
        answer = self._http.send(method, path, headers={"Authorization": f"Bearer {token}"}, **options)
        if answer.fine and (isinstance(answer.body, dict) or answer.status == 204):  # noqa: PLR2004 - HTTP's
            return answer
        raise as_told(method, answer, _refusal(answer))


def _made_up(kind: str, number: int) -> list[str]:
    """Ids that nobody has, always the same, so that a small change is large enough."""
    if kind in ("vk", "ok"):
        return [str(_MADE_UP_ACCOUNT + n) for n in range(number)]
    names = [hashlib.md5(f"segsync {n}".encode(), usedforsecurity=False).hexdigest() for n in range(number)]
    if kind in ("emails", "phones"):
        return names
    devices = [str(uuid.UUID(name)) for name in names]
    return [each.upper() for each in devices] if kind == "idfa" else devices


def _named_lines(errors: object) -> Iterator[tuple[int, str]]:
    """Index and code of each line that VK names; the line itself, which it repeats, is not looked at."""
    for each in objects(errors):
        number = each.get("line_number")
        code = word(each.get("error_code")) or word(each.get("code"))
        if isinstance(number, int) and number > 0:
            yield number - 1, code or "refused"


def _refusal(answer: HttpAnswer) -> CallFailed:
    """What an answer means that is no success; what it says in words is not shown."""
    fields = answer.field("error", "fields")
    told = [each for found in fields.values() for each in objects(found)] if isinstance(fields, dict) else []
    codes = {word(each.get("code")) for each in told} | {word(answer.field("code"))}
    code = " ".join([str(answer.status), *sorted(filter(None, codes))])
    if rows := dict(_named_lines(told)) if answer.status == 400 else {}:  # noqa: PLR2004 - HTTP's
        refused = _failed(Fault.ROWS, code, "the platform refuses some lines")
        refused.rows = rows
        return refused
    bases = fields.get("base") if isinstance(fields, dict) else None
    if answer.status == 400 and "not_found" in {word(each.get("code")) for each in objects(bases)}:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.GONE, code, _MEANS[404][1])
    # A page in place of an answer comes as a success, too, from whatever stands in front of the platform.
    refuses = 400 <= answer.status < 500  # noqa: PLR2004 - HTTP's
    usual = (Fault.REFUSED, "the platform refuses the call") if refuses else _SERVERS_OWN
    fault, reason = _MEANS.get(answer.status, usual)
    return _failed(fault, code, reason, _wait_ms(answer) if fault is Fault.BUDGET else 0)


def _wait_ms(answer: HttpAnswer) -> int:
    """Milliseconds until the window that is used up is over: as VK says, or at the latest."""
    for window, seconds in (("daily", 86_400), ("hourly", 3600)):
        if answer.headers.get(f"x-ratelimit-{window}-remaining") == "0":
            return retry_after_ms(answer, seconds * 1000)
    return retry_after_ms(answer, 60_000)


def _failed(fault: Fault, code: str, reason: str, wait_ms: int = 0) -> CallFailed:
    return CallFailed(fault, f"vk-ads {code}", reason, wait_ms=wait_ms)
