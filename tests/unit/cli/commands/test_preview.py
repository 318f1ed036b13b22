"""`segsync preview`: what a delivery would run, without Redis and without a database, the same at every run."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from workers.cli.commands import preview
from workers.connectors.contract import Target
from workers.connectors.sql.mysql import rollback
from workers.errors import ErrorClass, TargetError, WrongUsage
from workers.preflight import trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIGURATION = """
[redis]
url = "redis://127.0.0.1:1/0"
[connectors.crm]
url = "mysql://segsync@127.0.0.1:1/crm"
password = "${NOBODY_HAS_SET_THIS}"
[integrations.crm]
ordering = "exact"
connector = "crm"
key = "id"
scope = { database = "main", segments = "all" }
batch = { size = 2, timeout = "60s" }
[integrations.crm.queries]
add = '''
INSERT INTO m VALUES
{for $i, $lead = $batch}
({segment_id}, '{$lead.id}', '{segment_name}', {$lead._event_time}, {$lead._sequence}){autocomma}
{end}
'''
remove = "DELETE FROM m WHERE s = {segment_id} AND c IN ({batch_in \\"id\\"})"
clear = "DELETE FROM m WHERE s = {segment_id}"
segment_delete = '''
DELETE FROM m WHERE s = {segment_id}; -- members
DELETE FROM s WHERE s = {segment_id} -- and the segment
'''
[integrations.vip]
connector = "crm"
scope = { database = "main", segments = [9] }
[integrations.vip.queries]
add = "INSERT INTO m VALUES ({segment_id}, '{lead.id}', {event_time})"
remove = "DELETE FROM m WHERE s = {segment_id} AND c = '{lead.id}'"
"""
TAGS = """
[integrations.tags]
connector = "crm"
scope = { database = "main", segments = [9] }
[integrations.tags.queries]
add = "INSERT INTO m VALUES {for $t = lead.tags}({segment_id}, '{lead.id}', '{$t}'){autocomma}{end}"
remove = "DELETE FROM m WHERE s = {segment_id} AND c = '{lead.id}'"
"""
SEQUENCE = 1_767_225_600_000 << 20


Event = dict[str, Any]


def event(kind: str, *keys: object, segment: object = 7, **more: Any) -> Event:
    profiles = {"profiles": [{"_id": "p", "id": key} for key in keys]} if keys else {}
    return {"type": kind, "segment": {"id": segment}, **profiles, **more}


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Previews events, one or a lane of them: status, stdout, stderr."""
    (tmp_path / "segsync.toml").write_text(CONFIGURATION + TAGS)
    monkeypatch.setenv("SEGSYNC_CONFIG", str(tmp_path / "segsync.toml"))

    def run(*events: Event, key: str = "crm", **options: bool) -> tuple[int, str, str]:
        file = tmp_path / ("event.json" if len(events) == 1 else "events.jsonl")
        file.write_text("\n".join(map(json.dumps, events)))
        status = preview.run(key, file, **options)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def folder(tmp_path: Path, show: object) -> Path:
    """A folder with two events, and no .sql yet."""
    assert show
    made = tmp_path / "events"
    made.mkdir()
    (made / "add.json").write_text(json.dumps(event("add", "A"), indent=2))
    (made / "lane.jsonl").write_text(f"{json.dumps(event('add', 'A'))}\n\n{json.dumps(event('remove', 'A'))}\n")
    return made


def test_statements_have_a_heading_and_end_in_a_semicolon(show: Callable[..., Any]) -> None:
    """A quote that was escaped shows as it is sent: value''s."""
    lines = [
        "-- add, 2 profiles",
        "INSERT INTO m VALUES",
        f"(7, 'value''s', NULL, '2026-01-01 00:00:00.000000', {SEQUENCE}),",
        f"(7, 'A', NULL, '2026-01-01 00:00:00.000000', {SEQUENCE});",
        "",
    ]
    assert show(event("add", "value's", "A")) == (0, "\n".join(lines), "")


def test_the_events_own_time_counts(show: Callable[..., Any]) -> None:
    _, out, _ = show(event("add", "A", at="2020-02-02T02:02:02+01:00"))
    assert "'2020-02-02 01:02:02.000000'" in out


def test_several_statements_stand_apart_and_a_comment_hides_no_semicolon(show: Callable[..., Any]) -> None:
    _, out, _ = show(event("segment_delete"))
    assert out == (
        "-- segment_delete\nDELETE FROM m WHERE s = 7;\n\n-- members\nDELETE FROM s WHERE s = 7 -- and the segment\n;\n"
    )


def test_a_lane_is_cut_and_merged_and_cleared_as_a_delivery_does_it(show: Callable[..., Any]) -> None:
    _, out, _ = show(event("add", "moot"), event("clear"), event("add", "A"), event("remove", "A"), event("add", "B"))
    assert out.split("\n\n") == [
        "-- clear\nDELETE FROM m WHERE s = 7;",
        "-- remove, 1 profile\nDELETE FROM m WHERE s = 7 AND c IN ('A');",
        f"-- add, 1 profile\nINSERT INTO m VALUES\n(7, 'B', NULL, '2026-01-01 00:00:00.000000', {SEQUENCE + 4});\n",
    ]


def test_without_a_clear_query_nothing_is_moot(show: Callable[..., Any]) -> None:
    status, out, _ = show(event("add", "A", segment=9), event("clear", segment=9), key="vip")
    assert status == 0
    assert out == (
        "-- add, 1 profile\nINSERT INTO m VALUES (9, 'A', '2026-01-01 00:00:00.000000');\n\n"
        "-- clear: there is no such query, so nothing runs\n"
    )


def test_the_segments_name_is_what_the_lane_has_passed(show: Callable[..., Any]) -> None:
    named = {"type": "segment_upsert", "segment": {"id": 7, "name": "O'Neil"}}
    _, out, _ = show(event("add", "A"), named, event("add", "B"))
    assert "(7, 'A', NULL," in out
    assert "(7, 'B', 'O''Neil'," in out


def test_rejected_profiles_are_told_with_their_reason_and_never_their_values(show: Callable[..., Any]) -> None:
    bad = event("add", "A", "", ["secret"])
    bad["profiles"].append({"id": "secret"})
    status, out, err = show(bad)
    assert status == 1
    assert "(7, 'A'" in out
    told = [line.removeprefix("-- rejected: ") for line in out.splitlines() if line.startswith("-- rejected")]
    places = [line.partition(": bad")[0].partition(": missing")[0] for line in told]
    assert sorted(places) == ["event 1, profile 2 (_id p)", "event 1, profile 3 (_id p)", "event 1, profile 4"]
    assert err == "", "each is said once"
    assert "secret" not in out


def test_what_runs_nothing_says_so(show: Callable[..., Any]) -> None:
    assert show(event("add", profiles=[])) == (0, "-- nothing runs\n", "")


def test_a_segment_out_of_scope_is_shown_with_a_note(show: Callable[..., Any]) -> None:
    status, out, err = show(event("add", "A"), key="vip")
    assert (status, "VALUES (7, 'A'" in out, "not in the scope" in err) == (0, True, True)


def test_two_segments_are_not_one_lane(show: Callable[..., Any]) -> None:
    with pytest.raises(WrongUsage, match="events of 2 segments"):
        show(event("clear"), event("clear", segment=8))


def test_an_unknown_integration_is_told_the_nearest(show: Callable[..., Any]) -> None:
    with pytest.raises(WrongUsage, match=r"no integration 'crn' in .*'crm'"):
        show(event("clear"), key="crn")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.json", b"", "not json"),
        ("e.json", b"{", "not json"),
        ("e.json", b'{"type":"ad","segment":{"id":7}}', "'ad' is none"),
        ("e.json", b'{"type":"clear","segment":{"id":"\xff"}}', "is not UTF-8"),
        ("e.json", b"\xef\xbb\xbf{}", "byte order mark"),
        ("e.jsonl", b'{"type":"clear","segment":{"id":7}}\n\n{', "line 3: not json"),
        ("e.jsonl", b"\n \n", "holds no event"),
        ("missing.json", None, "no such file"),
    ],
)
@pytest.mark.usefixtures("show")
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongUsage, match=rf"{name}: .*{message}|{name}: {message}"):
        preview.run("crm", tmp_path / name, write=False)


def test_a_folder_is_written_and_then_unchanged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.run("crm", folder, write=True) == 0
    assert sorted(path.name for path in folder.glob("*.sql")) == ["add.sql", "lane.sql"]
    assert capsys.readouterr().out.count("is written") == 2
    for write in (False, True):
        assert preview.run("crm", folder, write=write) == 0
        assert capsys.readouterr().out == ""


def test_a_change_is_a_unified_diff_and_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview.run("crm", folder, write=True)
    kept = folder / "add.sql"
    kept.write_bytes(kept.read_bytes().replace(b"'A'", b"'\xffZ'"))
    capsys.readouterr()
    assert preview.run("crm", folder, write=False) == 1
    out = capsys.readouterr().out
    assert "-(7, '\\xffZ'," in out
    assert "+(7, 'A'," in out
    assert "lane.sql" not in out
    assert preview.run("crm", folder, write=True) == 0
    assert "add.sql is updated" in capsys.readouterr().out
    assert preview.run("crm", folder, write=False) == 0


def test_a_missing_sql_file_is_a_difference(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview.run("crm", folder, write=False) == 1
    out = capsys.readouterr().out
    assert "add.sql (missing)" in out
    assert "+-- add, 1 profile" in out
    assert not list(folder.glob("*.sql"))


def test_an_expected_rejection_is_no_difference(folder: Path) -> None:
    (folder / "bad.json").write_text(json.dumps(event("add", "")))
    preview.run("crm", folder, write=True)
    assert "-- rejected: event 1, profile 1 (_id p): missing key" in (folder / "bad.sql").read_text()
    assert preview.run("crm", folder, write=False) == 0


def test_one_event_that_cannot_be_read_does_not_hide_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.json").write_text("{")
    assert preview.run("crm", folder, write=False) == 2
    said = capsys.readouterr()
    assert "a.json: not json" in said.err
    assert "+-- add, 1 profile" in said.out


def test_a_sql_file_that_is_a_folder_is_a_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "add.sql").mkdir()
    assert preview.run("crm", folder, write=True) == 2
    assert "add.sql: " in capsys.readouterr().err
    assert (folder / "lane.sql").exists()


def test_an_empty_folder_and_a_name_taken_twice_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongUsage, match="expected events"):
        preview.run("crm", tmp_path / "empty", write=False)
    (folder / "add.jsonl").write_text("")
    with pytest.raises(WrongUsage, match=r"add.json and add.jsonl"):
        preview.run("crm", folder, write=False)


def test_write_is_for_folders(folder: Path) -> None:
    with pytest.raises(WrongUsage, match="--write makes"):
        preview.run("crm", folder / "add.json", write=True)


def test_json_has_all_that_the_text_has(show: Callable[..., Any]) -> None:
    status, out, err = show(event("add", "value's", ""), event("segment_upsert"), as_json=True)
    assert (status, err) == (1, "")
    shown = json.loads(out)
    (query,) = shown.pop("queries")
    assert (query["event_type"], query["profiles"], query["tried"]) == ("add", 1, [])
    assert ["(7, 'value''s', NULL" in text and text[-1] != ";" for text in query["statements"]] == [True]
    assert (shown.pop("integration"), shown.pop("segment")) == ("crm", "7")
    assert [each.partition(": ")[0] for each in shown.pop("rejected")] == ["event 1, profile 2 (_id p)"]
    assert shown == {"notes": ["segment_upsert: there is no such query, so nothing runs"]}


@pytest.mark.parametrize(("options", "message"), [({"tried": True}, "--try is for"), ({"as_json": True}, "--json is")])
def test_a_folder_is_neither_tried_nor_json(folder: Path, options: dict[str, bool], message: str) -> None:
    with pytest.raises(WrongUsage, match=message):
        preview.run("crm", folder, **options)


def test_what_is_tried_is_not_written(folder: Path) -> None:
    for path in (folder, folder / "add.json"):
        with pytest.raises(WrongUsage, match="--write and --try"):
            preview.run("crm", path, write=True, tried=True)


def test_a_missing_secret_is_told_with_the_statements(show: Callable[..., Any]) -> None:
    status, out, err = show(event("clear"), tried=True)
    assert (status, out) == (1, "-- clear\nDELETE FROM m WHERE s = 7;\n")
    assert err.startswith("segsync: cannot try: segsync settings (hold): connectors.crm.password: ")
    assert "rolled back" not in err


def test_a_target_out_of_reach_is_told_in_its_drivers_words(
    show: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOBODY_HAS_SET_THIS", "secret")
    status, out, err = show(event("clear"), tried=True, as_json=True)
    unreachable = json.loads(out)["unreachable"]
    assert (status, unreachable["code"], "Connection refused" in unreachable["detail"]) == (1, "mysql 2003", True)
    assert "segsync: cannot try: mysql 2003 (retry): " in err
    assert "secret" not in out + err


class Deadlocked:
    """A session whose server has rolled the transaction back by itself, and the savepoint with it."""

    def __init__(self, error: TargetError, begins: TargetError | None = None) -> None:
        self.error = error
        self.begins = begins

    def execute(self, statement: str) -> int:
        if statement.startswith("ROLLBACK TO"):
            raise TargetError(ErrorClass.HOLD, "mysql 1305", "gone")
        if statement.startswith("SAVEPOINT"):
            return 0
        raise self.error

    def begin(self, _lock: str, _patience: float) -> None:
        if self.begins is not None:
            raise self.begins

    def rollback(self) -> None: ...
    def discard(self) -> None: ...
    def open(self) -> Deadlocked:
        return self

    def dispose(self) -> None: ...


@pytest.mark.parametrize(
    ("error_class", "committed"), [(ErrorClass.RETRY, False), (ErrorClass.HOLD, True), (ErrorClass.ISOLATE, True)]
)
def test_a_deadlock_is_no_commit(monkeypatch: pytest.MonkeyPatch, error_class: ErrorClass, *, committed: bool) -> None:
    session = Deadlocked(TargetError(error_class, "mysql 1213", "a deadlock"))
    monkeypatch.setattr(trial, "connect", lambda _: session)
    monkeypatch.setattr(rollback, "what_would_stay", lambda *_: "")
    query = trial.TriedQuery("clear", 0, ["DELETE FROM m"])
    outcome = trial.attempt(Target("crm", "mysql", "mysql://u@h/d"), [[query]])
    assert (outcome.failed, outcome.committed, query.tried) == (True, committed, [session.error])


def test_what_could_not_begin_has_committed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = TargetError(ErrorClass.RETRY, "mysql 1040", "too many connections")
    monkeypatch.setattr(trial, "connect", lambda _: Deadlocked(busy, busy))
    monkeypatch.setattr(rollback, "what_would_stay", lambda *_: "")
    query = trial.TriedQuery("clear", 0, ["DELETE FROM m"])
    outcome = trial.attempt(Target("crm", "mysql", "mysql://u@h/d"), [[query], [query]])
    assert (outcome.failed, outcome.committed, outcome.unreachable, query.tried) == (False, False, busy, [])


class Impatient(Deadlocked):
    """A session in whose rollback Ctrl-C is pressed, twice."""

    undone = 0

    def execute(self, _statement: str) -> int:
        return 1

    def rollback(self) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        self.undone += 1


def test_ctrl_c_does_not_break_into_a_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Impatient(TargetError(ErrorClass.HOLD, "", ""))
    monkeypatch.setattr(trial, "connect", lambda _: session)
    first, second = (trial.TriedQuery("clear", 0, ["DELETE FROM m"]) for _ in range(2))
    before = signal.getsignal(signal.SIGINT)
    outcome = trial.attempt(Target("crm", "postgresql", "postgresql://u@h/d"), [[first], [second]])
    assert (outcome.interrupted, session.undone, first.tried, second.tried) == (True, 1, [trial.Ran(1)], [])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_profile_for_which_nothing_is_sent_is_said_to_be_one(show: Callable[..., Any]) -> None:
    """It counts as delivered, so nothing else would ever tell."""
    profiles = [{"_id": "a", "id": "A"}, {"_id": "b", "id": "B", "tags": ["x"]}, {"_id": "c"}]
    status, said, told = show({"type": "add", "segment": {"id": 9}, "profiles": profiles}, key="tags")
    assert (status, said.count("INSERT"), "('9', 'B', 'x')" in said or "(9, 'B', 'x')" in said) == (1, 1, True)
    expected = "event 1, profile 1 (_id a): its add query comes out empty: nothing is sent, and it counts as delivered"
    assert told == f"segsync: {expected}\n"
    assert "comes out empty" not in show(event("remove", "A", segment=9), key="tags")[2]
