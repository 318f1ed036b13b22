"""`segsync push`: JSON lines of any number."""

from __future__ import annotations

import errno
import io
import json
import re
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import redis

from segsync import PushFailed
from tests.fake_redis import FakeRedis, producer_to
from workers.cli import json_lines as push
from workers.cli.json_lines import BadLine, PushReport, PushStopped, push_lines, read_lines
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD = b'{"type":"add","segment":{"id":7},"profiles":[{"_id":null,"email":"ann-secret"}]}'


def clear(segment: int) -> bytes:
    return b'{"type":"clear","segment":{"id":%d}}' % segment


def clears(count: int) -> list[bytes]:
    return [clear(each) for each in range(count)]


def test_lines_are_pushed_in_order() -> None:
    intake = FakeRedis()
    seen: list[int] = []

    report = push_lines(producer_to(intake), clears(2500), seen.append)

    assert report == PushReport(accepted=2500, lines=2500)
    assert intake.events == clears(2500)
    assert seen == [1000, 2000, 2500]


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    intake = FakeRedis()
    lines = [b"\xef\xbb\xbf\xef\xbb\xbf" + clear(1) + b"\r\n", b"\r\n", b" \t\n", clear(2) + b"\n", b"\n", clear(3)]

    assert push_lines(producer_to(intake), lines) == PushReport(accepted=3, lines=6)
    assert intake.events == [clear(1), clear(2), clear(3)]


def test_files_put_one_behind_the_other_have_a_mark_each() -> None:
    redis = FakeRedis()
    report = push_lines(producer_to(redis), [b"\xef\xbb\xbf" + clear(1) + b"\n", b"\xef\xbb\xbf" + clear(2) + b"\n"])
    assert report == PushReport(accepted=2, lines=2)


@pytest.mark.parametrize(
    ("beginning", "hint"),
    [
        (b"\x1f\x8b\x08\x00", "this is gzip; expected JSON lines: `zcat FILE | segsync push -`"),
        ("\ufeff{}".encode("utf-16-le"), "this is UTF-16; expected UTF-8"),
        ("\ufeff{}".encode("utf-16-be"), "this is UTF-16; expected UTF-8"),
        (b"PK\x03\x04", "this is a zip archive"),
        (b"\x28\xb5\x2f\xfd", "this is zstandard"),
        (b"BZh91AY", "this is bzip2"),
        (b"\xfd7zXZ\x00", "this is xz"),
        ("\ufeff{}".encode("utf-32-le"), "this is UTF-32"),
        ("\ufeff{}".encode("utf-32-be"), "this is UTF-32"),
        ("{}".encode("utf-16-le"), "this is UTF-16; expected UTF-8: `iconv -f UTF-16LE"),
        ("{}".encode("utf-16-be"), "this is UTF-16; expected UTF-8: `iconv -f UTF-16BE"),
    ],
)
def test_what_is_no_text_gets_a_hint(beginning: bytes, hint: str) -> None:
    with pytest.raises(BadLine, match=re.escape(hint)):
        push_lines(producer_to(FakeRedis()), [beginning])


@pytest.mark.parametrize("lines", [[], [b"\n", b"\r\n"], [b"\xef\xbb\xbf"]])
def test_nothing_is_nothing(lines: list[bytes]) -> None:
    intake = FakeRedis()

    assert push_lines(producer_to(intake), lines) == PushReport(accepted=0, lines=len(lines))
    assert intake.chunks == []


@pytest.mark.parametrize("before", [0, 1, 999, 1000, 1001, 2400])
def test_a_bad_line_stops_with_all_before_it_accepted_and_nothing_after(before: int) -> None:
    intake = FakeRedis()
    lines = [*clears(before), b"\n", BAD, *clears(10), b"no json"]

    with pytest.raises(BadLine) as caught:
        push_lines(producer_to(intake), lines)

    assert intake.events == clears(before)
    assert (caught.value.line, caught.value.accepted) == (before + 2, before)
    assert str(caught.value) == (
        f"line {before + 2:,}: profiles[0]._id: expected a string or an integer, got nothing; "
        f"{counted(before, 'event before it is', 'events before it are')} accepted"
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"no json", r"^line 2: not JSON: Expecting value \(character 0\); 1 event before it is"),
        (b"\xff\xfe", r"^line 2: not UTF-8 \(byte 0\)"),
        (b"[]", r"^line 2: expected an object, got list"),
        (clear(1) + b"\x0b", r"^line 2: not JSON: Extra data"),
        (clear(1) + clear(2), r"^line 2: not JSON: Extra data"),
    ],
)
def test_a_bad_line_says_what_is_wrong(line: bytes, says: str) -> None:
    with pytest.raises(BadLine, match=says):
        push_lines(producer_to(FakeRedis()), [clear(1), line])


def test_a_line_over_8_mib_becomes_several_events() -> None:
    intake = FakeRedis()
    profiles = [{"_id": each, "a": "x" * 1024 * 1024} for each in range(10)]
    line = json.dumps({"type": "add", "segment": {"id": 7}, "profiles": profiles}).encode()

    report = push_lines(producer_to(intake), [clear(1), line, clear(2), BAD[:-1]][:3])

    assert report == PushReport(accepted=4, lines=3)
    assert len(intake.events) == 4


def test_after_a_split_line_a_bad_line_is_still_named_rightly() -> None:
    intake = FakeRedis()
    profiles = [{"_id": each} for each in range(10_001)]
    line = json.dumps({"type": "add", "segment": {"id": 7}, "profiles": profiles}).encode()

    with pytest.raises(BadLine) as caught:
        push_lines(producer_to(intake), [clear(1), line, line, BAD, clear(2)])

    assert (caught.value.line, caught.value.accepted) == (4, 5)
    assert len(intake.events) == 5


def _two_chunks() -> list[bytes]:
    """Two lines that fit one chunk as they are, and make one each when they are split in two."""
    profiles = [{"_id": each} for each in range(10_001)]
    event = {"type": "add", "segment": {"id": 7}, "note": "x" * 300_000, "profiles": profiles}
    return [json.dumps(event, separators=(",", ":")).encode()] * 2


def test_what_a_bad_line_leaves_is_not_pushed_twice() -> None:
    intake = FakeRedis()

    with pytest.raises(BadLine) as caught:
        push_lines(producer_to(intake), [*_two_chunks(), BAD])

    assert (caught.value.line, caught.value.accepted) == (3, 4)
    assert [len(chunk) for chunk in intake.chunks] == [2, 2]


def test_what_is_accepted_before_a_failure_is_counted() -> None:
    intake = FakeRedis(fails_at=1, error=redis.ConnectionError("gone"))

    with pytest.raises(PushStopped) as caught:
        push_lines(producer_to(intake), _two_chunks())

    assert (caught.value.line, caught.value.accepted) == (2, 2)


def test_progress_comes_after_about_1_mb() -> None:
    seen: list[int] = []
    line = b'{"type":"clear","segment":{"id":7},"note":"%b"}' % (b"x" * 300_000)

    push_lines(producer_to(FakeRedis()), [line] * 7, seen.append)

    assert seen == [3, 6, 7]


def test_an_endless_line_is_refused_and_never_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "MAX_LINE_BYTES", 1000)
    stream = io.BytesIO(clear(1) + b"\n" + b'{"type":"' + b"x" * 5000)

    lines = list(read_lines(stream))
    with pytest.raises(
        BadLine, match=r"^line 2: longer than 1,000 bytes; expected one event per line; 1 event before it is"
    ):
        push_lines(producer_to(FakeRedis()), lines)

    assert max(map(len, lines)) == 1001


def test_what_redis_refuses_stops_at_the_line_to_go_on_from() -> None:
    intake = FakeRedis(fails_at=1, error=redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'."))

    with pytest.raises(
        PushStopped, match=r"^line 1,003: the intake is full.*; 1,000 events before it are accepted$"
    ) as caught:
        push_lines(producer_to(intake), [b"\n", *clears(1000), b"\n", *clears(2000)])

    assert not isinstance(caught.value, BadLine)
    assert isinstance(caught.value.__cause__, PushFailed)
    assert (caught.value.line, caught.value.accepted) == (1003, 1000)


def test_a_file_that_cannot_be_read_on_is_named_as_that_and_all_before_is_accepted() -> None:
    """It was told as a failure of the output, with nothing of what was accepted."""

    def failing() -> Iterator[bytes]:
        yield from clears(3)
        raise OSError(errno.EIO, "Input/output error")

    intake = FakeRedis()
    with pytest.raises(BadLine) as caught:
        push_lines(producer_to(intake), failing())
    assert str(caught.value) == "line 4: cannot be read: Input/output error; 3 events before it are accepted"
    assert intake.events == clears(3)


def test_a_lost_answer_is_told() -> None:
    intake = FakeRedis(fails_at=0, error=redis.ConnectionError("gone"))

    with pytest.raises(PushStopped, match=r"^line 1: the link to Redis failed: gone; the answer was lost, so "):
        push_lines(producer_to(intake), clears(10))


def test_memory_stays_bounded() -> None:
    def lines() -> Iterator[bytes]:
        for each in range(12_000):
            yield b'{"type":"clear","segment":{"id":%d},"note":"%b"}\n' % (each, b"x" * 1000)

    class Forgetful(FakeRedis):
        def __call__(self, keys: list[str], args: list[bytes]) -> list[bytes]:
            answer = super().__call__(keys, args)
            self.chunks.clear()
            return answer

    producer = producer_to(Forgetful())
    tracemalloc.start()
    try:
        report = push_lines(producer, lines())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert report.accepted == 12_000
    assert peak < 6_000_000
