"""Answers of platforms that are JSON, and of no shape that any document has: each is a failed call, and no crash."""

from __future__ import annotations

import hashlib
import json
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from workers.connectors.audiences import consents, facebook, google, vk, yandex
from workers.connectors.audiences.http import Http, HttpAnswer, objects, whole_number, word
from workers.connectors.audiences.store.rows import SentRow
from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

ODD: tuple[Any, ...] = (None, True, 7, -1, 3.5, 10**30, "soon", "²", [], [7], [[]], {}, {"a": 1}, [None, {"a": []}])
AUDIENCE: Any = SimpleNamespace(remote="7", replaced="", title="VIP", mark="m", mark_before="", list="emails")
PATHS = (
    ("errors",),
    ("error",),
    ("error", "details"),
    ("error", "fields"),
    ("error", "fields", "file"),
    ("error", "code"),
    ("code",),
)
INNER = ("fieldViolations", "metadata", "error_type", "code", "line_number", "reason", "field")


def nested(path: tuple[str, ...], value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value


def bodies() -> list[Any]:
    found = [nested(path, odd) for path in PATHS for odd in ODD]
    for name in INNER:
        found += [nested(path, [{name: odd}]) for path in PATHS for odd in ODD]
    return [*found, *ODD]


@pytest.mark.parametrize("refusal", [yandex._refusal, google._refusal, vk._refusal, facebook._refusal])
def test_whatever_a_refusal_says_it_is_one(refusal: Callable[[HttpAnswer], CallFailed]) -> None:
    for status in (200, 400, 401, 404, 429, 500):
        for body in bodies():
            assert isinstance(refusal(HttpAnswer(status, {"retry-after": "\xb2"}, body)), CallFailed)


class Answering(Http):
    """A platform that answers all calls alike."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def send(self, *_: Any, **__: Any) -> HttpAnswer:
        return HttpAnswer(200, {}, self._body)


@pytest.mark.parametrize(
    ("life", "seconds"), [("soon", 0), ([1], 0), (3600.5, 3600), ("3600", 3600), (True, 0), (-5, 0), (10**30, 10**10)]
)
def test_a_token_whose_life_cannot_be_read_is_kept(life: object, seconds: int) -> None:
    http = Answering({"access_token": "x", "expires_in": life, "refresh_token_expires_in": life})
    for consent in (
        consents.YandexConsent(http, "a", "b"),
        consents.GoogleConsent(http, "a", "b"),
        consents.VkConsent(http, "a", "b"),
    ):
        assert consent.renew("r").expires_in_s == seconds


def test_a_list_that_is_none_is_no_empty_list() -> None:
    """Taken for one, an audience that is there would be made once more."""
    account = google.GoogleAccount("1", "", "")
    for body in ({"userLists": 7, "data": 7}, {"userLists": {"a": 1}, "data": "x"}):
        http = Answering(body)
        for wire in (
            google.GoogleWire(http, account, lambda: "t", lambda _: "t"),
            facebook.FacebookWire(http, "1", "t", ""),
        ):
            with pytest.raises(CallFailed) as caught:
                list(wire._listed())
            assert caught.value.fault is Fault.UNDONE


def wires(http: Http) -> list[Any]:
    tokens = (lambda: "t", lambda _: "t")
    shared: Any = None
    return [
        yandex.YandexWire(http, *tokens, shared, hashed=True),
        google.GoogleWire(http, google.GoogleAccount("1"), *tokens),
        vk.VkWire(http, *tokens, shared),
        facebook.FacebookWire(http, "1", "t", ""),
    ]


class Endless(Answering):
    """Each page is the first one, and says that there is more."""

    pages = 0

    def send(self, *said: Any, **more: Any) -> HttpAnswer:
        self.pages += 1
        assert self.pages < 5, "it is asked without end"
        return super().send(*said, **more)


def test_a_list_that_does_not_end_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for something in it would never come back."""
    monkeypatch.setattr(yandex, "PAGE", 1)
    monkeypatch.setattr(vk, "PAGE", 1)
    page = [{"id": "8", "name": "x"}]
    body: dict[str, Any] = {"segments": page, "items": page, "userLists": page, "nextPageToken": "same"}
    body |= {"data": page, "paging": {"cursors": {"after": "same"}, "next": "x"}}
    for number in range(4):
        with pytest.raises(CallFailed, match="the list does not end"):
            list(wires(Endless(body))[number].find(AUDIENCE))


WRONG = ({"error": {"code": 100, "message": "m"}}, {"errors": [{"error_type": "invalid_parameter"}]}, {"error": "no"})


@pytest.mark.parametrize("wrong", WRONG)
def test_an_answer_with_an_error_inside_is_no_success(wrong: dict[str, Any]) -> None:
    """Whatever its status says, and whatever else it has: nobody was told, nobody has left, no list is empty."""
    fine = {"requestId": "r", "num_received": 1, "success": True, "segments": [], "data": [], "items": []}
    calls: tuple[Callable[[Any], object], ...] = (
        lambda wire: wire.change(AUDIENCE, "add", [SentRow((1,), {"emails": "x"})]),
        lambda wire: wire.rename(AUDIENCE),
        lambda wire: wire.delete(AUDIENCE),
        lambda wire: list(wire.find(AUDIENCE)),
    )
    for wire in wires(Answering(fine | wrong)):
        for call in calls:
            with pytest.raises(CallFailed):
                call(wire)


@pytest.mark.parametrize("odd", [each for each in ODD if not isinstance(each, dict)])
def test_an_answer_that_is_no_object_is_none(odd: object) -> None:
    """A change that it answers may have been done or not, and what was to be deleted may be there."""
    for wire in wires(Answering(odd)):
        for change in ("add", "remove"):
            with pytest.raises(CallFailed) as caught:
                wire.change(AUDIENCE, change, [SentRow((1,), {"emails": "x"})])
            assert caught.value.fault is Fault.UNHEARD
        for call in (wire.rename, wire.delete):
            with pytest.raises(CallFailed):
                call(AUDIENCE)


def test_what_was_not_done_is_told() -> None:
    yandexs, _, _, facebooks = wires(Answering({"success": False}))
    for wire in (yandexs, facebooks):
        with pytest.raises(CallFailed, match="has not done it"):
            wire.delete(AUDIENCE)


@pytest.mark.parametrize("told", [*ODD, [{"errorInfo": 7}], [{"errorInfo": {"errorCounts": 7}}]])
def test_what_google_says_of_a_request_is_read_or_left(told: object) -> None:
    http = Answering({"requestStatusPerDestination": told})
    wire = google.GoogleWire(http, google.GoogleAccount("1", "", ""), lambda: "t", lambda _: "t")
    assert wire.poll(None, type("Call", (), {"handle": "7"})()).state == "working"  # type: ignore[arg-type]


def test_numbers_and_objects_are_read_or_left() -> None:
    texts = ("7", 7, 7.9, "7.9", "x" * 5_000, "9" * 5_000, "²", float("inf"), float("nan"))
    assert [whole_number(each) for each in texts] == [7, 7, 7, 0, 0, 10**10, 0, 0, 0]
    assert objects([{"a": 1}, 7, None]) == [{"a": 1}]
    assert [objects(each) for each in (None, 7, {"a": 1}, "text")] == [[], [], [], []]


@pytest.mark.parametrize("body", [b"[" * 200_000 + b"]" * 200_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"\xff"])
def test_what_is_nested_too_deep_is_no_json(body: bytes) -> None:
    http = Http("vk-ads", "http://localhost", 5, 5)
    http._pid = os.getpid()
    http._client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500, content=body)))
    assert http.get("/x", headers={}).body is None
    http.close()


def test_json_may_be_as_deep_as_it_may() -> None:
    """What is just not too deep to be read is not too deep for what is done with it."""
    for depth in range(900, 1_000, 7):
        try:
            body = json.loads('{"code":' + "[" * depth + "]" * depth + "}")
        except RecursionError:
            break
        assert vk._refusal(HttpAnswer(400, {}, body)).fault is Fault.REFUSED


@pytest.mark.parametrize("code", [4, 17, 613, 80003, 80004])
@pytest.mark.parametrize("more", [{}, {"is_transient": True}])
def test_a_limit_of_facebook_s_is_one_though_it_passes(code: int, more: dict[str, Any]) -> None:
    """Taken for a call of which nobody heard, others of the account would go on."""
    failed = facebook._refusal(HttpAnswer(400, {}, {"error": {"code": code, "message": "m"} | more}))
    assert (failed.fault, failed.wait_ms) == (Fault.BUDGET, 300_000)


def test_what_facebook_calls_transient_may_have_been_done() -> None:
    for code, fault in ((99_999, Fault.UNHEARD), (2, Fault.UNHEARD), (190, Fault.LOGIN)):
        body = {"error": {"code": code, "message": "m", "is_transient": True}}
        assert facebook._refusal(HttpAnswer(400, {}, body)).fault is fault
    assert facebook._refusal(HttpAnswer(400, {}, {"error": {"code": 99_999}})).fault is Fault.REFUSED


ECHOED = (
    "ann@example.com",
    "79995551111",
    79995551111,
    hashlib.sha256(b"ann@example.com").hexdigest(),
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "b" * 31 + "7",
    "y0_AgAAAABkXyZ12345678901234567890",
    "EAABsbCS1iHgBO7",
    "planted value",
    "x" * 5_000,
)
"""What a platform may repeat of what it was sent, in a place where a code should be."""


@pytest.mark.parametrize("refusal", [yandex._refusal, google._refusal, vk._refusal, facebook._refusal])
def test_what_a_platform_repeats_in_place_of_a_code_is_not_shown(refusal: Callable[[HttpAnswer], CallFailed]) -> None:
    for value in ECHOED:
        told = [nested(path, value) for path in PATHS if path != ("error", "code")]
        told += [nested(path, [{name: value, "line_number": 1}]) for path in PATHS for name in INNER]
        violation = {"field": "audience_members[0]", "reason": value}
        told.append(nested(("error", "details"), [{"fieldViolations": [violation]}]))
        for body in told:
            for status in (200, 400, 401, 403, 404, 429, 500):
                failed = refusal(HttpAnswer(status, {}, body))
                shown = f"{failed} {failed.code} {failed.reason} {sorted(failed.rows.values())}"
                assert str(value) not in shown, (value, body)


def test_what_gives_tokens_repeats_nothing_either() -> None:
    for value in ECHOED:
        for name in ("error", "code"):
            answer = HttpAnswer(400, {}, {name: value})
            failed = consents._refused("vk-ads", answer, word(answer.field(name)), "it", "that")
            assert str(value) not in str(failed)


def test_codes_are_shown() -> None:
    for code in ("quota", "invalid_md5", "RESOURCE_EXHAUSTED", "csv_line_column_index_error", "backend_error"):
        assert word(code) == code


@pytest.mark.parametrize("odd", [None, True, 7.5, "", "soon", "²", "1/../act_7", [7], {"id": 7}, "9" * 30, -7])
def test_an_audience_whose_id_is_none_is_not_begun(odd: object) -> None:
    """It is looked for by its mark: calls to what is no id would be told as an audience that has gone."""
    rows = [SentRow((1,), {"emails": "x", "email": "x"})]
    audience: Any = SimpleNamespace(**vars(AUDIENCE) | {"list": "emails"})
    for wire in wires(Answering({"id": odd, "segment": {"id": odd}})):
        with pytest.raises(CallFailed) as caught:
            wire.create(audience, rows)
        assert caught.value.fault is Fault.UNHEARD
