"""Events from JSON lines, of any number, into the intake (`segsync push`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from segsync import CHUNK_BYTES, CHUNK_EVENTS, InvalidEvent, Producer, PushFailed
from workers.errors import SegsyncError
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_LINE_BYTES = 64 * 1024 * 1024
"""The client splits events over 8 MiB; what is longer than this is no line of events, and would fill memory."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MARKS = {
    b"\x1f\x8b": "this is gzip; expected JSON lines: `zcat FILE | segsync push -`",
    b"\x28\xb5\x2f\xfd": "this is zstandard; expected JSON lines: `zstdcat FILE | segsync push -`",
    b"BZh": "this is bzip2; expected JSON lines: `bzcat FILE | segsync push -`",
    b"\xfd7zXZ": "this is xz; expected JSON lines: `xzcat FILE | segsync push -`",
    b"PK\x03\x04": "this is a zip archive; expected JSON lines: `unzip -p FILE | segsync push -`",
    # Before UTF-16, which begins alike.
    b"\xff\xfe\x00\x00": "this is UTF-32; expected UTF-8: `iconv -f UTF-32 -t UTF-8 FILE | segsync push -`",
    b"\x00\x00\xfe\xff": "this is UTF-32; expected UTF-8: `iconv -f UTF-32 -t UTF-8 FILE | segsync push -`",
    b"\xff\xfe": "this is UTF-16; expected UTF-8: `iconv -f UTF-16 -t UTF-8 FILE | segsync push -`",
    b"\xfe\xff": "this is UTF-16; expected UTF-8: `iconv -f UTF-16 -t UTF-8 FILE | segsync push -`",
    b"{\x00": "this is UTF-16; expected UTF-8: `iconv -f UTF-16LE -t UTF-8 FILE | segsync push -`",
    b"\x00{": "this is UTF-16; expected UTF-8: `iconv -f UTF-16BE -t UTF-8 FILE | segsync push -`",
}
"""How files begin that are no JSON lines, and what helps."""
BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class PushReport:
    """What was pushed.

    accepted  events in the intake; more than the lines' number where large ones were split
    lines     lines read, blank ones too
    """

    accepted: int
    lines: int


class PushStopped(SegsyncError):
    """Redis failed or refused in the middle; `__cause__` is the client's PushFailed.

    line      1-based number of the first line that is not known to be accepted: go on from there
    accepted  events in the intake
    """

    def __init__(self, line: int, reason: str, accepted: int) -> None:
        self.line = line
        self.reason = reason
        self.accepted = accepted
        super().__init__(
            f"line {line:,}: {reason}; {counted(accepted, 'event before it is', 'events before it are')} accepted"
        )


class BadLine(PushStopped):
    """A line holds no event, or cannot be read. All before it are accepted, and it and all after it were not sent."""


class _Line(NamedTuple):
    number: int
    event: bytes


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file or pipe, none so long that it fills memory: `push_lines` refuses what comes out cut."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line


def push_lines(producer: Producer, lines: Iterable[bytes], progress: Callable[[int], None] | None = None) -> PushReport:
    """Pushes one event per line, in order, keeping about 1 MB in memory; blank lines are skipped.

    progress  called after each chunk with the number of events accepted so far

    Raises BadLine at the first line that holds no event, or cannot be read, after all before it are accepted;
    PushStopped when Redis fails.
    """
    accepted = 0
    numbered = _Numbered(lines)
    for chunk in _chunks(numbered):
        accepted += _push(producer, chunk, accepted)
        if progress:
            progress(accepted)
    if numbered.trouble:
        raise BadLine(numbered.lines + 1, f"cannot be read: {numbered.trouble}", accepted)
    return PushReport(accepted, numbered.lines)


class _Numbered:
    """The events of lines with their numbers; `lines` says how many were read, `trouble` why no more could be."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._source = lines
        self.lines = 0
        self.trouble = ""

    def _read(self) -> Iterator[bytes]:
        try:
            yield from self._source
        except OSError as error:  # a disk or a share that fails; what was read before it is pushed all the same
            self.trouble = error.strerror or type(error).__name__

    def __iter__(self) -> Iterator[_Line]:
        for line in self._read():
            # Files that were put one behind the other have a mark each; programs that do not know it add another.
            event = line
            while event.startswith(BYTE_ORDER_MARK):
                event = event.removeprefix(BYTE_ORDER_MARK)
            event = event.strip(BLANKS)
            self.lines += 1
            if event:
                yield _Line(self.lines, event)


def _chunks(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    chunk: list[_Line] = []
    size = 0
    for line in lines:
        if chunk and (len(chunk) == CHUNK_EVENTS or size + len(line.event) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line.event)
    if chunk:
        yield chunk


def _push(producer: Producer, chunk: list[_Line], before: int) -> int:
    """How many events this chunk made, all accepted; else an error that names the line."""
    try:
        return len(producer.push([line.event for line in chunk]))
    except PushFailed as failure:
        accepted = before + len(failure.accepted)
        raise PushStopped(chunk[failure.done].number, _reason(failure), accepted) from failure
    except InvalidEvent as invalid:
        bad = chunk[invalid.index]
        accepted = before + len(invalid.accepted)
        accepted += _push(producer, chunk[invalid.done : invalid.index], accepted)
        raise BadLine(bad.number, _problem(invalid, bad), accepted) from None


def _reason(failure: PushFailed) -> str:
    lost = "; the answer was lost, so events from here on may be accepted or not" if failure.unknown else ""
    return f"{failure.reason}{lost}"


def _problem(invalid: InvalidEvent, bad: _Line) -> str:
    if len(bad.event) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES:,} bytes; expected one event per line"
    for mark, hint in MARKS.items():
        if bad.number == 1 and bad.event.startswith(mark):
            return hint
    place = invalid.place.partition(".")[2]  # without "events[3]", which counts from the chunk's beginning
    return f"{place}: {invalid.problem}" if place else invalid.problem
