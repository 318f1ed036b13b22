"""The ways to a source over HTTP and by a program: what is refused, what is tried again, and what ends with what."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.platform_http import Answer, Asked, answering
from tests.waiting import until
from workers.errors import ErrorClass, SettingsError, TargetError
from workers.resync.feed_answer import entries
from workers.resync.feed_doors import ask
from workers.settings.feeds import FeedSettings

FILES, SPARE = 1_100, 200
BODY = b'{"_id": 1}\n{"_id": 2}\n{"end": true, "count": 2}\n'


def feed(url: str = "", *command: str, headers: dict[str, str] | None = None, timeout: float = 20.0) -> FeedSettings:
    return FeedSettings("main", url, headers or {}, command, None, 100, 0.0, timeout)


def told(settings: FeedSettings, segment: str = "7", after: int | str | None = None) -> list[bytes]:
    return list(entries(ask(settings, segment, after)))


def test_an_address_has_its_places_filled_and_its_headers() -> None:
    with answering(lambda _: Answer(BODY)) as platform:
        url = platform.url + "/s/{segment_id}/m?after={after}&limit={limit}"
        assert len(told(feed(url, headers={"Authorization": "Bearer x"}), "{after} /ä&", "a=b")) == 2
    (asked,) = platform.asked
    assert asked.path == "/s/%7Bafter%7D%20%2F%C3%A4%26/m?after=a%3Db&limit=100"
    assert asked.headers["authorization"] == "Bearer x"
    assert "accept-encoding" not in asked.headers or asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("length", [len(BODY), None])
def test_an_answer_that_breaks_off_at_any_byte_is_none(length: int | None) -> None:
    """Whether the server had said how long it would be, or not."""
    ends = iter(range(len(BODY) - 1))
    with answering(lambda _: Answer(BODY[: next(ends)], length=length)) as platform:
        for _ in range(len(BODY) - 1):
            with pytest.raises(TargetError) as raised:
                told(feed(platform.url + "/{segment_id}"))
            assert raised.value.error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(b"", 302, (("Location", "http://127.0.0.1:1/"),)), ErrorClass.HOLD, "it answers with a redirect"),
        (Answer(BODY, 401), ErrorClass.HOLD, "it answers 401; expected 200"),
        (Answer(BODY, 206), ErrorClass.HOLD, "it answers 206; expected 200"),
        (Answer(BODY, 200, (("Age", "7"),)), ErrorClass.RETRY, "kept by a cache, for '7' s by its header Age"),
        (Answer(BODY, 200, (("age", " 0"), ("age", "060"))), ErrorClass.RETRY, "for '060' s by its header Age"),
        (Answer(BODY, 503), ErrorClass.RETRY, "it answers 503; expected 200"),
        (Answer(BODY, 200, (("Content-Encoding", "gzip"),)), ErrorClass.HOLD, "Content-Encoding 'gzip' says; expected"),
        (Answer(BODY, 200, (("content-encoding", "Identity, BR"),)), ErrorClass.HOLD, "Encoding 'Identity, BR' says"),
    ],
)
def test_other_answers_are_none(answer: Answer, kind: ErrorClass, said: str) -> None:
    with answering(lambda _: answer) as platform, pytest.raises(TargetError, match=said) as raised:
        told(feed(platform.url + "/{segment_id}"))
    assert raised.value.error_class is kind
    assert len(platform.asked) == 1


@pytest.mark.parametrize("coding", ["Identity", " IDENTITY ", "", "identity, identity"])
def test_what_is_plain_may_say_so(coding: str) -> None:
    with answering(lambda _: Answer(BODY, headers=(("Content-Encoding", coding),))) as platform:
        assert len(told(feed(platform.url + "/{segment_id}"))) == 2


def test_what_a_cache_has_let_through_may_say_so() -> None:
    with answering(lambda _: Answer(BODY, headers=(("Age", "0"),))) as platform:
        assert len(told(feed(platform.url + "/{segment_id}"))) == 2


def test_a_place_that_nobody_serves_is_tried_again() -> None:
    with answering(lambda _: Answer(BODY)) as platform:
        pass
    with pytest.raises(TargetError, match="out of reach") as raised:
        told(feed(platform.url + "/{segment_id}"))
    assert raised.value.error_class is ErrorClass.RETRY


def test_silence_is_given_up() -> None:
    asked: list[Asked] = []

    def never(request: Asked) -> Answer:
        asked.append(request)
        until(lambda: len(asked) > 1)
        return Answer(BODY)

    with answering(never) as platform:
        try:
            with pytest.raises(TargetError, match="out of reach, or broke off"):
                told(feed(platform.url + "/{segment_id}", timeout=0.1))
        finally:
            asked.append(Asked("", {}))


def test_no_message_shows_a_secret() -> None:
    with answering(lambda _: Answer(BODY)) as platform, pytest.raises(TargetError) as raised:
        told(feed(platform.url + "/{segment_id}", headers={"Authorization": "Bearer s3cret\n"}))
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert "s3cret" not in repr(feed("https://x", headers={"Authorization": "Bearer s3cret"}))


def program(tmp_path: Path, text: str) -> tuple[str, ...]:
    script = tmp_path / "members.py"
    script.write_text(text)
    return sys.executable, str(script), "{segment_id}", "{after}"


def test_a_program_gets_its_arguments_as_they_are(tmp_path: Path) -> None:
    """No shell reads them."""
    code = "import json, sys\nprint(json.dumps({'_id': sys.argv[1]}))\nprint('{\"end\": true, \"count\": 1}')"
    assert told(feed("", *program(tmp_path, code)), "$(id) `id` 'x' {after}") == [
        b'{"_id": "$(id) `id` \'x\' {after}"}'
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('{\"_id\": 1}')", "ended without a last line"),
        ('print(\'{"end": true, "count": 0}\')\nraise SystemExit(3)', "it ended with status 3; expected 0"),
        ("import os, signal\nprint('[]', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)", "it ended with status -9"),
    ],
)
def test_a_program_that_fails_has_told_nothing(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        told(feed("", *program(tmp_path, code)))


def test_a_program_that_says_nothing_ends_with_all_it_has_started(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "print('{\"_id\": 1}', flush=True)\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(TargetError, match="it said nothing for 2 s"):
        told(feed("", *program(tmp_path, code), timeout=2.0))
    child = int((tmp_path / "pid").read_text())
    until(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - as short as it can be
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("segment", [".", ".."])
def test_an_id_is_no_way_up_in_an_address(segment: str) -> None:
    with answering(lambda _: Answer(BODY)) as platform:
        with pytest.raises(TargetError, match="which an address takes for a way up"):
            told(feed(platform.url + "/s/{segment_id}/m"), segment)
        assert len(told(feed(platform.url + "/s/{segment_id}/m"), f"{segment}x")) == 2
    assert [asked.path for asked in platform.asked] == [f"/s/{segment}x/m"]


def test_an_id_is_no_option_of_a_program(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="which a program takes for an option"):
        told(feed("", *program(tmp_path, "")), "--help")


def test_a_program_is_heard_by_a_process_with_very_many_files(tmp_path: Path) -> None:
    """select() knows none beyond the first 1,024: a worker with so many connections failed every run."""
    settings = feed("", *program(tmp_path, f"import sys; sys.stdout.buffer.write({BODY!r})"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where a process may have no more than a thousand files, it has as many as it may.
    wanted = FILES + SPARE if hard == resource.RLIM_INFINITY else min(FILES + SPARE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with ExitStack() as files:
            for _ in range(wanted - SPARE):
                files.enter_context(Path(os.devnull).open("rb"))
            assert len(told(settings)) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_runs_only_where_the_process_says_so(tmp_path: Path) -> None:
    settings = feed("", *program(tmp_path, ""))
    for allowed in ("", "/bin/other", f"/bin/other:{sys.executable}x"):
        with pytest.raises(
            SettingsError, match="may not be run here; expected it in the variable SEGSYNC_SOURCE_COMMANDS"
        ):
            settings.resolve({"SEGSYNC_SOURCE_COMMANDS": allowed})
    allowed = os.pathsep.join(["/bin/other", sys.executable])
    assert settings.resolve({"SEGSYNC_SOURCE_COMMANDS": allowed}) == replace(settings)


def test_secrets_come_from_this_process() -> None:
    settings = feed("https://${HOST}/{segment_id}", headers={"Authorization": "Bearer ${TOKEN}"})
    found = settings.resolve({"HOST": "platform.example", "TOKEN": "x"})
    assert (found.url, found.headers) == ("https://platform.example/{segment_id}", {"Authorization": "Bearer x"})
    with pytest.raises(SettingsError) as raised:
        settings.resolve({"TOKEN": "a\r\nX: y"})
    assert "the environment variable HOST is not set" in str(raised.value)
    assert "its value has a line end" in str(raised.value)
