"""Yandex.Audiences: segments of uploaded files, changed by files, and asked for in one list.

yandex.ru/dev/audience: ref/openapi/segments (upload, confirm, modify), intro/data-requirements, concept/errors.
There is no look at one segment, no report of rows, and no name before `confirm`.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.audiences.http import as_told, id_number, objects, retry_after_ms, with_a_good_token, word
from workers.connectors.audiences.wire import (
    SETTLED_MS,
    AccountSigns,
    Answered,
    CallFailed,
    CallProgress,
    Fault,
    Sighting,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from workers.connectors.audiences.http import Http, HttpAnswer
    from workers.connectors.audiences.shared_list import SharedList
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.calls import OpenCall
    from workers.connectors.audiences.store.rows import SentRow
    from workers.connectors.audiences.wire import Change, ReplacePart

PATH: Final = "/v1/management"
COLUMNS: Final = ("email", "phone", "ext_id", "push_id")
"""Of every file: a segment's later files must have the columns of its first."""
PAGE: Final = 10_000
"""Segments that one answer lists."""
USUAL_WAIT_MS: Final = 600_000
"""Milliseconds until the next try where the limit is used up, and the platform does not say for how long."""
_TOKEN_FAULTS: Final = {"unauthorized", "invalid_token"}
_STATES: Final = {
    "is_processed": CallProgress("working"),
    "is_updated": CallProgress("working"),
    "processed": CallProgress("done"),
    "few_data": CallProgress("done", code="few data"),
    "processing_failed": CallProgress("failed", code="yandex-audiences processing_failed"),
}


class YandexWire:
    """`wire.PlatformWire` for one login.

    token, renew  as `TokenKeeper.token` and `TokenKeeper.renew`
    shared        the list of all segments
    hashed        whether what is sent is hashed; the same for all the life of a segment
    """

    def __init__(
        self,
        http: Http,
        token: Callable[[], str],
        renew: Callable[[str], str],
        shared: SharedList,
        *,
        hashed: bool,
    ) -> None:
        self._shared = shared
        self._http = http
        self._token = token
        self._renew = renew
        self._hashed = hashed

    def account(self) -> str:
        """As `PlatformWire.account`: Yandex does not say who we are, only that we may."""
        self._ask("GET", "/segments", query={"limit": "1", "offset": "0"})
        return ""

    def take_back(self, since_ms: int, until_ms: int, ours: Collection[str]) -> None:
        """As `PlatformWire.take_back`: an upload that nobody has confirmed, which has no name to know it by."""
        for each in list(self._listed()):
            number, made = str(each.get("id")), _unix_ms(each.get("create_time"))
            if each.get("status") == "uploaded" and since_ms <= made <= until_ms and number not in ours:
                self._delete(number)

    def signs(self) -> AccountSigns:
        """As `PlatformWire.signs`: it is not asked for them."""
        return AccountSigns()

    def find(self, audience: Audience) -> Sequence[Sighting]:
        """As `PlatformWire.find`: by the id, since before `confirm` a segment has no name."""
        if not audience.remote:
            return []
        return [
            Sighting(audience.remote, str(each.get("create_time", "")), each.get("status") != "uploaded")
            for each in self._listed()
            if str(each.get("id")) == audience.remote
        ]

    def create(self, audience: Audience, rows: Sequence[SentRow]) -> Answered:  # noqa: ARG002 - it has no name yet
        """As `PlatformWire.create`."""
        answer = self._ask("POST", "/segments/upload_csv_file", file=_file(rows))
        return Answered(remote=_id(answer), live=False)

    def confirm(self, audience: Audience) -> None:
        """As `PlatformWire.confirm`."""
        segment: dict[str, Any] = {"id": int(audience.remote), "name": audience.title, "hashed": self._hashed}
        if self._hashed:
            segment["hashing_alg"] = "SHA256"
        segment |= {"content_type": "crm", "device_matching_type": "CROSS_DEVICE"}
        path = f"/segment/{audience.remote}/confirm"
        self._ask("POST", path, query={"check_size": "false"}, body={"segment": segment})

    def change(self, audience: Audience, change: Change, rows: Sequence[SentRow]) -> Answered:
        """As `PlatformWire.change`."""
        return self._modify(audience, "addition" if change == "add" else "subtraction", rows)

    def _modify(self, audience: Audience, how: str, rows: Sequence[SentRow]) -> Answered:
        query = {"modification_type": how, "check_size": "false"}
        self._ask("POST", f"/segment/{audience.remote}/modify_data", query=query, file=_file(rows))
        return Answered()

    def begin_replacing(self, audience: Audience) -> str:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.begin_replacing`: one call does it all."""
        return ""

    def replace(self, audience: Audience, rows: Sequence[SentRow], part: ReplacePart) -> Answered:  # noqa: ARG002 - one
        """As `PlatformWire.replace`."""
        return self._modify(audience, "replace", rows)

    def take_out_the_rest(self, audience: Audience) -> Answered:  # noqa: ARG002 - the protocol's
        """As `PlatformWire.take_out_the_rest`: nobody is left to be."""
        return Answered(applied=True, replaced=True)

    def poll(self, audience: Audience, call: OpenCall) -> CallProgress:
        """As `PlatformWire.poll`: the segment is asked for, by a list that all calls before it share for a while."""
        now, settled = self._shared.clock(), call.made_ms + SETTLED_MS
        since = settled if now >= settled and not call.seen else call.made_ms + 1  # then it is taken at its word
        state = self._shared.states(since, self._states).get(audience.remote)
        return CallProgress("unseen") if state is None else _STATES.get(state, CallProgress("working"))

    def rename(self, audience: Audience) -> None:
        """As `PlatformWire.rename`."""
        self._ask("PUT", f"/segment/{audience.remote}", body={"segment": {"name": audience.title}})

    def delete(self, audience: Audience) -> None:
        """As `PlatformWire.delete`."""
        self._delete(audience.remote)

    def _delete(self, number: str) -> None:
        try:
            answer = self._ask("DELETE", f"/segment/{number}")
        except CallFailed as failed:
            if failed.fault is not Fault.GONE:
                raise
            return
        if answer.field("success") is False:
            raise _failed(Fault.REFUSED, "answer", "Yandex says that it has not done it")

    def _states(self) -> dict[str, str]:
        return {str(each.get("id")): str(each.get("status")) for each in self._listed()}

    def _listed(self) -> Iterator[dict[str, Any]]:
        offset, before = 0, list[object]()
        while True:
            query = {"limit": str(PAGE), "offset": str(offset)}
            found = self._ask("GET", "/segments", query=query).field("segments")
            if not isinstance(found, list):
                raise _failed(Fault.UNDONE, "answer", "the list of segments is none")
            if found and found == before:
                raise _failed(Fault.UNDONE, "answer", "the list does not end")
            before = found
            yield from (each for each in found if isinstance(each, dict))
            if len(found) < PAGE:
                return
            offset += PAGE

    def _ask(self, method: str, path: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as `Http.send`
        """One call; a token that is refused is renewed, once."""
        return with_a_good_token(self._token, self._renew, lambda token: self._call(method, path, token, **options))

    def _call(self, method: str, path: str, token: str, **options: Any) -> HttpAnswer:  # noqa: ANN401 - as above
        answer = self._http.send(method, PATH + path, headers={"Authorization": f"OAuth {token}"}, **options)
        if answer.fine and isinstance(answer.body, dict):
            return answer
        raise as_told(method, answer, _refusal(answer))


def _file(rows: Sequence[SentRow]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row.values.get(column, "") for column in COLUMNS] for row in rows)
    return text.getvalue().encode()


def _unix_ms(text: object) -> int:
    """A time of ISO 8601, UTC where it names no zone; 0 for what is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _id(answer: HttpAnswer) -> str:
    found = id_number(answer.field("segment", "id"))
    if not found:
        raise _failed(Fault.UNHEARD, "answer", "the answer to an upload names no segment")
    return found


def _refusal(answer: HttpAnswer) -> CallFailed:
    """What an answer means that is no success; what it says in words is not shown."""
    errors = answer.field("errors")
    kinds = {word(each.get("error_type")) for each in objects(errors)}
    code = " ".join([str(answer.status), *sorted(filter(None, kinds))])
    if answer.status == 429:  # noqa: PLR2004 - HTTP's
        reason = "the platform's limit of calls is used up"
        return _failed(Fault.BUDGET, code, reason, retry_after_ms(answer, USUAL_WAIT_MS))
    if answer.status == 401 or kinds & _TOKEN_FAULTS:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.LOGIN, code, "the token is refused")
    if answer.status == 404:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.GONE, code, "the segment is not there any more")
    if answer.status == 403:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.REFUSED, code, "the login lacks a right; expected audience:read and audience:write")
    if 400 <= answer.status < 500:  # noqa: PLR2004 - HTTP's
        return _failed(Fault.REFUSED, code, "the platform refuses the call")
    return _failed(Fault.UNHEARD, code, "the platform failed")


def _failed(fault: Fault, code: str, reason: str, wait_ms: int = 0) -> CallFailed:
    return CallFailed(fault, f"yandex-audiences {code}", reason, wait_ms=wait_ms)
