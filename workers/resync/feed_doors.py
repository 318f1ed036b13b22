"""The ways to a source that is no database: over HTTP, and by a program. Bytes come as they come."""

from __future__ import annotations

import http.client
import os
import select
import signal
import ssl
import subprocess
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.resync.feed_links import Links, next_link
from workers.settings.spelling import show

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from workers.resync.source import Id
    from workers.settings.feeds import FeedSettings

CHUNK: Final = 64 * 2**10
"""Bytes that are read at once: some hundred members."""
LONGEST: Final = 3_600.0
"""Seconds that one answer may take as a whole."""
MOST_BYTES: Final = 64 * 2**30
"""Of one answer."""
_LATER: Final = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that say: not now."""
_REDIRECTS: Final = range(300, 400)


def ask(feed: FeedSettings, segment: str, after: Id | None, links: Links | None = None) -> Generator[bytes]:
    """The bytes of one answer; `feed` is resolved. TargetError, and UnfitSource.

    links  where the reading is that goes on by links, and where the next one is noted
    """
    chunks = _run(feed, segment, after) if feed.command else _get(feed, segment, after, links or Links())
    until, size = time.monotonic() + LONGEST, 0
    with closing(chunks):
        for chunk in chunks:
            size += len(chunk)
            if size > MOST_BYTES or time.monotonic() > until:
                raise _error(ErrorClass.HOLD, "answer", "its answer takes more than an hour, or more than 64 GiB")
            yield chunk


def _filled(text: str, feed: FeedSettings, segment: str, after: Id | None, write: Callable[[str], str]) -> str:
    values = {"{segment_id}": segment, "{after}": "" if after is None else str(after), "{limit}": str(feed.rows)}
    # One pass: an id may look like a place.
    out, rest = "", text
    while found := min((place for place in values if place in rest), key=rest.index, default=""):
        before, _, rest = rest.partition(found)
        out += before + write(values[found])
    return out + rest


def _get(feed: FeedSettings, segment: str, after: Id | None, links: Links) -> Generator[bytes]:
    address = links.here or _filled(feed.url, feed, segment, after, _part)
    links.asked(address)
    parts = urlsplit(address)
    link = _connection(feed, parts.scheme.lower(), parts.hostname or "", parts.port)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        wanted = {
            "Accept": "application/x-ndjson, application/json",
            "User-Agent": "segsync",
            "Cache-Control": "no-cache",
        }
        link.request("GET", path, headers={**wanted, **feed.headers})
        # An answer that ends with its connection has taken it over.
        with closing(link.getresponse()) as answer:
            _judge(answer)
            links.next = next_link(answer.headers.get_all("Link", []), address)
            while chunk := answer.read1(CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        raise _error(ErrorClass.RETRY, "http", f"it is out of reach, or broke off ({type(error).__name__})") from None
    except ValueError:  # a header or an address that HTTP cannot carry; the message would show it
        raise _error(
            ErrorClass.HOLD, "http", "its address or a header cannot be sent; expected printable ASCII"
        ) from None
    finally:
        link.close()


def _connection(feed: FeedSettings, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    """No proxy of the environment's, and no redirects: headers go to this very place."""
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=feed.timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=feed.timeout)


def _judge(answer: http.client.HTTPResponse) -> None:
    if answer.status in _REDIRECTS:
        raise _error(ErrorClass.HOLD, f"http {answer.status}", "it answers with a redirect; expected the last address")
    if answer.status != http.client.OK:
        kind = ErrorClass.RETRY if answer.status in _LATER else ErrorClass.HOLD
        raise _error(kind, f"http {answer.status}", f"it answers {answer.status}; expected 200")
    for age in answer.headers.get_all("Age", []):  # which a cache says of what it had kept (RFC 9111, 5.1)
        if age.strip().strip("0"):
            what = f"its answer was kept by a cache, for {show(age)} s by its header Age; expected one that is made now"
            raise _error(ErrorClass.RETRY, "http", what)
    coding = ", ".join(answer.headers.get_all("Content-Encoding", []))
    if {each.strip().lower() for each in coding.split(",")} - {"identity", ""}:
        what = f"its answer is compressed, as its header Content-Encoding {show(coding)} says; expected it plain"
        raise _error(ErrorClass.HOLD, "http", what)


def _run(feed: FeedSettings, segment: str, after: Id | None) -> Generator[bytes]:
    """What a program prints; only with status 0 is that all. Its errors may hold people's data, and go nowhere."""
    argv = [_filled(part, feed, segment, after, _argument) for part in feed.command]
    try:
        # A group of its own: what it starts ends with it.
        process = subprocess.Popen(  # noqa: S603 - named by the file, and allowed by this process's own environment
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise _error(ErrorClass.HOLD, "command", f"it cannot be started ({type(error).__name__})") from None
    try:
        yield from _printed(process, feed.timeout)
        status = process.wait(feed.timeout)
    except subprocess.TimeoutExpired:
        raise _error(ErrorClass.RETRY, "command", f"it said nothing for {feed.timeout:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdout:
            process.stdout.close()
        process.wait()
    if status:
        raise _error(ErrorClass.RETRY, f"command status {status}", f"it ended with status {status}; expected 0")


def _part(text: str) -> str:
    """Of an address. Dots stay dots however they are written, and servers take them for a way up (RFC 3986, 5.2.4)."""
    if text in (".", ".."):
        raise _error(ErrorClass.HOLD, "http", f"an id is {text}, which an address takes for a way up")
    return quote(text, safe="")


def _argument(text: str) -> str:
    if text.startswith("-") and not text[1:].isdecimal():
        raise _error(ErrorClass.HOLD, "command", "an id begins with -, which a program takes for an option")
    return text


def _printed(process: subprocess.Popen[bytes], timeout: float) -> Generator[bytes]:
    out = process.stdout
    assert out is not None  # noqa: S101 - a pipe was asked for
    # Not select(), which knows no file beyond the first 1,024 of a process.
    answers = select.poll()
    answers.register(out, select.POLLIN)
    while True:
        if not answers.poll(timeout * 1000):
            raise subprocess.TimeoutExpired("", timeout)
        chunk = os.read(out.fileno(), CHUNK)
        if not chunk:
            return
        yield chunk


def _error(kind: ErrorClass, code: str, reason: str) -> TargetError:
    return TargetError(kind, f"source {code}", reason, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)
