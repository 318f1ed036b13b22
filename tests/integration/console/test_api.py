"""The API: what a token may, what comes back, and what is refused."""

from __future__ import annotations

import json
import re
import sqlite3
from base64 import b64decode
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.testclient import TestClient

from tests.integration.console.entering import console_of, token_table
from tests.integration.place import integration
from tests.repository import ROOT
from workers.console.api.all_routes import ALL
from workers.console.api.frame import MOST_BYTES
from workers.control.drain import drain
from workers.ledger.past_acts import list_acts
from workers.settings.console import May
from workers.settings.revision import published

if TYPE_CHECKING:
    import httpx2
    from starlette.types import ASGIApp

    from tests.integration.place import Place

TOKENS = {"reader": "read", "worker": "operate", "changer": "edit", "shop": "push"}
EVERY = "".join(token_table(name, f"{name}-text", may) for name, may in TOKENS.items())
EVERY += token_table("both", "both-text", "read", "operate")


class Program:
    """Calls with a token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self.client = TestClient(app, base_url="http://127.0.0.1", headers=headers, client=("192.0.2.9", 1))

    def get(self, path: str, code: int = 200, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == code, answer.text
        return answer.json()

    def post(self, path: str, code: int = 200, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == code, answer.text
        return answer.json()


@pytest.fixture
def app(place: Place) -> ASGIApp:
    """A console with a token of each kind, and an installation with one entry in the quarantine."""
    app = console_of(place, EVERY)
    bad = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "61f0", "email": "ann@example.com"}]}
    place.redis.xadd(place.keys.events, {"event": json.dumps(bad)})
    runtime = place.publish(integration(timeout="100ms"))
    place.file.write_text(place.file.read_text() + EVERY)
    while runtime.redis.hget(place.keys.intake, "quarantined") is None and not _quarantined(place):
        drain(runtime, 1)
    return app


def _quarantined(place: Place) -> int:
    return int(place.redis.hget(place.keys.integration("crm"), "quarantined") or 0)


def test_each_token_may_what_it_may_and_nothing_else(app: ASGIApp) -> None:
    of = {May(word): Program(app, f"{name}-text") for name, word in TOKENS.items()}
    for route in ALL:
        path = re.sub(r"\{\w+\}", "99", route.path)
        for may, program in of.items():
            refused = program.client.request(route.method, path, headers={"content-type": "x/y"}).status_code == 403
            assert refused == (may is not route.may), (route.path, may)
    for may, program in of.items():
        assert (program.client.post("/api/events").status_code == 403) == (may is not May.PUSH)
    for token in ("", "reader", "reader-text ", "READER-TEXT", "x" * 5_000, "\x7f"):
        stranger = Program(app, token)
        expected = 200 if token.strip() == "reader-text" else 401
        assert stranger.client.get("/api/status").status_code == expected, token
    bare = TestClient(app, base_url="http://127.0.0.1").get("/api/status")
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")


def test_every_answer_is_described_and_the_description_is_valid(app: ASGIApp) -> None:
    program = Program(app, "reader-text")
    document = TestClient(app, base_url="http://127.0.0.1").get("/api/openapi.json").json()
    OpenAPIV31SpecValidator(document).validate()
    assert {(path, method.upper()) for path, each in document["paths"].items() for method in each} == {
        *((route.path, route.method) for route in ALL),
        ("/api/events", "POST"),
    }
    schemas = document["components"]["schemas"]
    told = program.get("/api/status")
    assert set(told) == set(schemas["Status"]["properties"])
    assert schemas["Status"]["properties"]["integrations"]["items"] == {
        "$ref": "#/components/schemas/IntegrationStatus"
    }


def test_the_page_has_every_route_and_no_other() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\| `((?:GET|POST) [^`]+)` \|", page, re.MULTILINE))
    known = {f"{route.method} {route.path}" for route in ALL}
    assert shown == known | {"POST /api/events", "GET /health", "GET /metrics"}
    for route in ALL:
        assert f"`{route.method} {route.path}` | {route.may.value} | {route.words}: as `segsync {route.name}` |" in page


def test_whose_operation_a_lane_stands_at_is_said_to_who_may_see_people(app: ASGIApp, place: Place) -> None:
    place.add("7", 1)
    place.publish(integration(timeout="1h")).route("token", 5)
    place.redis.hset(place.keys.lane("crm", "7"), mapping={"attempts": 1, "limit": 1, "why": "code: reason"})
    whose = [
        Program(app, token).post("/api/why", integration="crm", segment=7)["head"]
        for token in ("reader-text", "both-text")
    ]
    assert [(each["what"], each["profile"]) for each in whose] == [("add", None), ("add", "0")]


def test_what_is_read(app: ASGIApp, place: Place) -> None:
    program = Program(app, "reader-text")
    assert program.get("/api/status")["revision"] == 1
    assert program.get("/api/status", ask="true")["workers"] == 1
    assert [each["key"] for each in program.get("/api/integrations")] == ["crm"]
    assert program.get("/api/integrations/crm")["integration"]["state"] == "active"
    assert program.post("/api/why", integration="crm", segment=7, profile="61f0")["needs"] is True
    assert program.get("/api/stats", since="1h")[0]["quarantined"] == 1
    assert program.get("/api/errors")[0]["event_type"] == "add"
    assert program.get("/api/errors", by="hour", event_type="remove") == []
    assert program.get("/api/stats", by="day", tz="Asia/Kolkata", until="now")[0]["quarantined"] == 1
    page = program.get("/api/quarantine", integration="crm")
    segment = page["entries"][0]["segment"]
    assert len(program.get("/api/quarantine", segment=segment)["entries"]) == 1
    assert program.get("/api/quarantine", segment="none")["entries"] == []
    assert (page["open"], len(page["entries"])) == (1, 1)
    entry = program.get(f"/api/quarantine/{page['entries'][0]['id']}")
    assert entry["integration"] == "crm"
    whole = program.post("/api/why", integration="crm", segment=7)
    assert "ann@example.com" not in json.dumps([page, entry, whole])
    assert "61f0" not in json.dumps([page, entry, whole])
    named: dict[str, Any] = {"integration": "crm", "segment": 7, "profile": "61f0"}
    assert [each["profile"] for each in program.post("/api/why", **named)["entries"]] == [None]
    assert [each["profile"] for each in Program(app, "both-text").post("/api/why", **named)["entries"]] == ["61f0"]
    assert Program(app, "both-text").get("/api/quarantine")["entries"][0]["profile"] == "61f0"
    assert program.get("/api/runs", failed="false")[0]["quarantined"] == 1
    assert program.get("/api/resyncs") == {"open": [], "ended": []}
    assert program.get("/api/revisions")[0]["revision"] == 1
    assert program.get("/api/configuration")["configuration"]["integrations"]["crm"]["connector"] == "db"
    assert program.get("/api/diff", of=1, to=1)["differences"] == []
    assert [each["key"] for each in program.get("/api/fields", integration="crm")] == ["crm"]
    worker = Program(app, "worker-text")
    assert {"name", "mark", "what"} <= set(worker.get("/api/doctor")[0])
    assert [each["act"] for each in worker.get("/api/audit")] == ["doctor"]
    assert place.redis.hget(place.keys.integration("crm"), "paused") is None


def test_an_integration_that_there_is_not_is_none_as_the_commands_say(app: ASGIApp) -> None:
    program = Program(app, "reader-text")
    for path in ("/api/stats", "/api/errors", "/api/runs", "/api/quarantine"):
        assert "did you mean 'crm'" in program.get(path, 404, integration="crn")["error"]


def test_connectors_and_segments_are_read_and_checked(app: ASGIApp, place: Place) -> None:
    program, worker = Program(app, "reader-text"), Program(app, "worker-text")
    assert program.get("/api/connectors/db")["check"] is None
    checked = worker.post("/api/connectors/db/check")
    assert (checked["by"], checked["wrong"]) == ("worker", False)
    (one,) = program.get("/api/connectors")
    assert (one["url"], one["integrations"], one["check"]) == ("sqlite:///target.db", ["crm"], checked)
    assert program.get("/api/accounts") == []
    for path in ("/api/accounts/db", "/api/connectors/none", "/api/segment"):
        program.get(path, 404, **({"id": "none"} if path == "/api/segment" else {}))
    with place.producer() as producer:
        producer.segment_upsert("..", name="VIP", groups=["sales"])
    place.publish(integration(timeout="1h")).route("t", 5)
    found = program.get("/api/segments", q="vip")
    assert (found["total"], found["after"], [each["id"] for each in found["segments"]]) == (2, 0, [".."])
    lanes = program.get("/api/segment", id="..")
    assert lanes["segment"]["groups"] == ["sales"]
    assert [(each["integration"], each["hold"]) for each in lanes["owed"]] == [("crm", "")]


def test_sources_are_read_and_checked(app: ASGIApp, place: Place) -> None:
    with closing(sqlite3.connect(place.folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE membership (segment_id, id)")
    members = "members = 'SELECT id AS _id, id FROM membership WHERE segment_id = {segment_id}'\n"
    place.publish(integration(), f'[sources.main]\nurl = "sqlite:///shop.db"\n{members}')
    program, worker = Program(app, "reader-text"), Program(app, "worker-text")
    (one,) = program.get("/api/sources")
    assert (one["key"], one["place"], one["integrations"], one["check"]) == ("main", "sqlite:///shop.db", ["crm"], None)
    checked = worker.post("/api/sources/main/check", reason="it has moved")
    assert (checked["by"], checked["wrong"]) == ("worker", False)
    assert program.get("/api/sources")[0]["check"] == checked
    assert "none is no source of the applied configuration" in worker.post("/api/sources/none/check", 404)["error"]
    program.post("/api/sources/main/check", 403)


def test_acts_do_what_the_commands_do_and_are_written_down(app: ASGIApp, place: Place) -> None:
    program, runtime = Program(app, "worker-text"), place.publish(integration(timeout="100ms"))
    assert program.post("/api/integrations/crm/pause", reason="the table is moved") == {
        "changed": True,
        "settled": True,
    }
    assert place.redis.hget(place.keys.integration("crm"), "paused_by") == b"worker"
    assert program.post("/api/integrations/crm/resume")["changed"] is True
    assert program.post("/api/retry", name="db") == {"holds": 0, "lanes": 0}
    assert b"ann@example.com" in b64decode(program.post("/api/quarantine/1/reveal")["payload"])
    assert program.post("/api/quarantine/drop", ids=[1])["entries"] == 1
    assert "did you mean 'crm'" in program.post("/api/integrations/crn/pause", 404)["error"]
    runtime.drain_outcomes(10)
    told = [(act.who, act.via, act.address, act.act, act.target, bool(act.failed)) for act in list_acts(runtime.ledger)]
    who = ("worker", "api", "192.0.2.9")
    assert told[:2] == [(*who, "pause", "crn", True), (*who, "pause", "crn", False)]
    assert (*who, "quarantine show", "1", False) in told
    assert (*who, "quarantine drop", "1", False) in told
    assert [act.reason for act in list_acts(runtime.ledger)][-1] == "the table is moved"


def test_a_configuration_is_published_with_who_and_from_what(app: ASGIApp, place: Place) -> None:
    reader, changer = Program(app, "reader-text"), Program(app, "changer-text")
    told = reader.get("/api/configuration")
    told["configuration"]["integrations"]["crm"]["batch"]["size"] = 20
    tried = changer.post("/api/apply", configuration=told["configuration"], dry_run=True)
    assert (tried["revision"], tried["changed"]) == (None, True)
    assert tried["differences"][0]["path"] == "integrations.crm.batch.size"
    done = changer.post("/api/apply", configuration=told["configuration"], basis=told["revision"])
    assert (done["revision"], done["changed"]) == (2, True)
    late = changer.post("/api/apply", 409, configuration=told["configuration"], basis=1)
    assert "revision 2 is applied, and this was made from 1" in late["error"]
    late = changer.post("/api/revisions/1/rollback", 409, basis=1)
    assert "revision 2 is applied, and this was made from 1" in late["error"]
    assert changer.post("/api/revisions/1/rollback", basis=2)["revision"] == 3
    assert [each["by"] for each in reader.get("/api/revisions")][:2] == ["changer", "changer"]
    told["configuration"]["integrations"]["crm"]["batch"]["size"] = 0
    wrong = changer.post("/api/apply", 400, configuration=told["configuration"])
    assert wrong["mistakes"][0]["where"] == "integrations.crm.batch.size"
    assert changer.post("/api/apply") == {"revision": 3, "changed": False, "differences": [], "stays_in": {}}
    applied = published(place.redis, place.keys)
    assert applied is not None
    assert applied.by == "changer"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("namespace", "other"),
        ("redis", {"password": "a secret"}),
        ("broker", {"url": "redis://127.0.0.1:1/0"}),
        ("alerts", {"command": ["true"]}),
        ("console", {"users": {}}),
        ("include", ["more.toml"]),
        ("query_sets", {"more": {"add": "SELECT 1"}}),
    ],
)
def test_what_is_never_published_is_refused(app: ASGIApp, place: Place, key: str, value: object) -> None:
    configuration = Program(app, "reader-text").get("/api/configuration")["configuration"]
    told = Program(app, "changer-text").post("/api/apply", 400, configuration=configuration | {key: value})
    assert [(each["where"], each["what"][:11]) for each in told["mistakes"]] == [(key, "unknown key")]
    applied = published(place.redis, place.keys)
    assert applied is not None
    assert (applied.revision, key in json.loads(applied.text)) == (1, False)


SECRET = "${OTHER_SECRET}"
PG = "postgresql://u@one.example/d"


@pytest.mark.parametrize(
    ("section", "table", "where"),
    [
        ("connectors", {"url": f"postgresql://{SECRET}@h/d"}, "connectors.new.url"),
        ("connectors", {"url": PG, "password": SECRET}, "connectors.new.password"),
        ("connectors", {"url": PG, "password_file": "/etc/hostname"}, "connectors.new.password_file"),
        ("sources", {"url": "https://h/{segment_id}", "headers": {"X": f"a {SECRET}"}}, "sources.new.headers.X"),
        ("sources", {"command": ["/bin/true"]}, "sources.new.command"),
        ("connectors", {"platform": "vk", "url": "https://h/"}, "connectors.new.url"),
        ("ledger", "sqlite:///other.db", "ledger"),
    ],
)
def test_secrets_and_where_they_go_are_said_by_the_file_alone(
    app: ASGIApp, place: Place, section: str, table: object, where: str
) -> None:
    configuration = Program(app, "reader-text").get("/api/configuration")["configuration"]
    configuration.setdefault(section, {})["new" if section != "ledger" else "url"] = table
    for dry in (True, False):
        told = Program(app, "changer-text").post("/api/apply", 400, configuration=configuration, dry_run=dry)
        assert where in [each["where"] for each in told["mistakes"]]
        assert "it is changed in segsync.toml, by `segsync apply`" in told["error"]
    found = published(place.redis, place.keys)
    assert found is not None
    assert found.revision == 1


def test_what_has_a_secret_is_changed_but_led_nowhere_else(app: ASGIApp, place: Place) -> None:
    place.publish(integration(timeout="100ms") + f'[connectors.pg]\nurl = "{PG}"\npassword = "${{A:-}}"\n')
    changer = Program(app, "changer-text")
    given = Program(app, "reader-text").get("/api/configuration")["configuration"]
    given["connectors"]["pg"]["parallelism"] = 9
    assert changer.post("/api/apply", configuration=given)["changed"]
    for url in (PG.replace("one", "two"), f"{PG}?sslmode=disable"):
        given["connectors"]["pg"]["url"] = url
        told = changer.post("/api/apply", 400, configuration=given)
        assert [each["where"] for each in told["mistakes"]] == ["connectors.pg.url"]


def test_a_configuration_of_nothing_is_as_a_file_of_nothing(app: ASGIApp, place: Place) -> None:
    configuration = Program(app, "reader-text").get("/api/configuration")["configuration"]
    Program(app, "changer-text").post("/api/apply", configuration=configuration | {"integrations": {}}, drop=["crm"])
    applied = published(place.redis, place.keys)
    assert applied is not None
    assert "integrations" not in json.loads(applied.text)


WRONG_BODIES = [
    ("/api/integrations/crm/pause", b'{"reasn": "x"}', 400, "unknown field `reasn`"),
    ("/api/integrations/crm/pause", b'{"reason": 7}', 400, "Expected `str`, got `int` - at `$.reason`"),
    ("/api/integrations/crm/pause", b"{", 400, "the body cannot be understood"),
    ("/api/integrations/crm/pause", b"\xff", 400, "the body cannot be understood"),
    ("/api/integrations/crm/pause", b"[" * 100_000, 400, "the body cannot be understood"),
    ("/api/integrations/crm/pause", b" " * (MOST_BYTES + 1), 413, "this is too long; expected at most"),
    (
        "/api/quarantine/retry",
        b"{}",
        400,
        "which entries? expected either ids, or integration, segment or code, or all",
    ),
    (
        "/api/quarantine/drop",
        b'{"all": true}',
        400,
        "which entries? expected either ids, or integration, segment or code",
    ),
    ("/api/quarantine/retry", b'{"ids": [99]}', 404, "99"),
    ("/api/quarantine/retry", b'{"ids": [99%b]}' % (b", 99" * 1_000), 400, "of length <= 1000 - at `$.ids`"),
    ("/api/quarantine/drop", b'{"ids": [99%b]}' % (b", 99" * 1_000), 400, "of length <= 1000 - at `$.ids`"),
    ("/api/quarantine/drop", b'{"ids": [99%b]}' % (b", 99" * 999), 404, "99"),
    ("/api/quarantine/x/reveal", b"{}", 400, "id 'x': expected a number from 0"),
    ("/api/retry", b"{}", 400, "missing required field `name`"),
    ("/api/resync", b'{"integration": "crm"}', 400, "no segment is named; expected at least one id, those that"),
    ("/api/resync", b'{"integration": "crm", "segments": ["7", ""]}', 400, "segment '' is no id; expected 1 to 255"),
    ("/api/resync", b'{"integration": "crm", "segments": ["%b"]}' % (b"x" * 100_000), 400, "x…' is no id; expected"),
    ("/api/verify", b'{"integration": "crm", "segments": ["a\\n"]}', 400, "is no id; expected"),
    ("/api/quarantine/drop", b'{"integration": "crm", "segment": ""}', 400, "segment '' is no id; expected"),
    ("/api/quarantine/retry", b'{"segment": "\\u0000"}', 400, "is no id; expected"),
    ("/api/resync", b'{"integration": "crm", "segments": [7], "removals": 5}', 400, "unknown field `removals`"),
    ("/api/resyncs/nope/cancel", b"{}", 400, "there is no run 'nope'"),
]


def test_what_cannot_be_understood_is_told(app: ASGIApp) -> None:
    client, kind = Program(app, "worker-text").client, {"content-type": "application/json"}
    for path, body, code, said in WRONG_BODIES:
        answer = client.post(path, content=body, headers=kind)
        assert answer.status_code == code, answer.text
        assert said in answer.json()["error"]


WRONG_QUERIES = [
    ("/api/runs?limit=0", "limit '0': expected a number from 1 to 10,000"),
    ("/api/runs?limit=%D9%A3", "expected a number from 1"),
    ("/api/runs?lmit=1", "'lmit' means nothing here; did you mean 'limit'?"),
    ("/api/runs?failed=maybe", "failed='maybe': expected true or false"),
    ("/api/stats?since=someday", "since 'someday' is no time"),
    ("/api/stats?by=week", "by 'week' is none of hour, day, total"),
    ("/api/errors?event_type=ad", "'ad' is no event type; expected one of add"),
    ("/api/errors?tz=Mars", "tz 'Mars' is no time zone"),
    (f"/api/quarantine?segment={'7' * 256}", "7…' is no id; expected 1 to 255 bytes"),
    ("/api/runs?segment=%00", "segment '\\x00' is no id; expected"),
    ("/api/segment?id=%0A", "segment '\\n' is no id; expected"),
    ("/api/quarantine?state=gone", "state 'gone': expected one of open"),
    ("/api/diff?of=1", "to is missing"),
]


def test_a_query_that_cannot_be_understood_is_told(app: ASGIApp) -> None:
    client = Program(app, "reader-text").client
    for path, said in WRONG_QUERIES:
        answer = client.get(path)
        assert answer.status_code == 400
        assert said in answer.json()["error"]


def test_forms_of_other_sites_reach_nothing(app: ASGIApp) -> None:
    """A browser sends no token by itself, and no JSON without asking."""
    worker = Program(app, "worker-text")
    answer = worker.client.post("/api/integrations/crm/pause", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    bare = TestClient(app, base_url="http://127.0.0.1", cookies={"segsync_session": "x"})
    assert bare.post("/api/integrations/crm/pause", json={}).status_code == 401


def test_edit_false_leaves_reading_and_pushing(place: Place) -> None:
    app = console_of(place, "[console]\nedit = false\n" + EVERY)
    assert Program(app, "reader-text").get("/api/status")["revision"] == 1
    refused = Program(app, "worker-text").post("/api/integrations/crm/pause", 403)
    assert refused["error"] == "[console] edit = false: nothing is changed here"
    assert Program(app, "worker-text").get("/api/audit") == []
    shop: httpx2.Response = Program(app, "shop-text").client.post("/api/events", json=[])
    assert shop.status_code == 200


def test_health_and_metrics(place: Place) -> None:
    app = console_of(place, EVERY)
    assert Program(app, "").get("/health") == {"ok": True}
    assert "segsync_up 1.0" in Program(app, "").client.get("/metrics").text
    closed = console_of(place, EVERY + '[console.proxy]\nheader = "X-User"\naddresses = ["10.0.0.7"]\n')
    assert Program(closed, "").client.get("/metrics").status_code == 401
    assert Program(closed, "shop-text").client.get("/metrics").status_code == 403
    assert "segsync_up 1.0" in Program(closed, "reader-text").client.get("/metrics").text
