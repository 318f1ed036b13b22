"""The platform of a round: what its segments have, told over HTTP to whoever resyncs, well or badly.

It commits first and pushes then. An event that is pushed again at another place in the order is committed again.
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.chaos.events import KILLER

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from tests.chaos.events import Made

WAYS = ("well", "empty", "cut", "late")
"""How it answers: as it is; with no members; cut off at any byte; as it was some time ago."""
LATE_SECONDS = 0.3
DELAY = "500ms"
"""What the source says that it may be behind: more than it is."""
KEPT_SECONDS = 5.0
ROWS = 25

Members = dict[str | None, int]
"""key -> `_id`."""


class Platform:
    """Members of segments, and a server that tells them.

    way    one of WAYS
    asked  answers that were begun
    """

    def __init__(self, chance: random.Random) -> None:
        self.way = "well"
        self.asked = 0
        self._chance = chance
        self._ids = count(1)
        self._lock = threading.Lock()
        self._segments: dict[str, list[tuple[float, Members]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="platform", daemon=True).start()

    def source(self, *, paged: bool) -> str:
        """[sources.main], which asks this server."""
        url = f"http://127.0.0.1:{self._server.server_port}/{{segment_id}}"
        pages = f'?after={{after}}&limit={{limit}}"\nfirst = 0\nrows = {ROWS}\n' if paged else '"\n'
        return f'[sources.main]\nurl = "{url}{pages}delay = "{DELAY}"\ntimeout = "5s"\n'

    def commit(self, made: Made) -> None:
        """Lets one event happen here."""
        if made.elsewhere or made.kind not in {"add", "remove", "clear"}:
            return
        with self._lock:
            members = self._then(made.segment, None)
            if made.kind == "clear":
                members = {}
            for _, key in made.keys:
                if made.kind == "remove":
                    members.pop(key, None)
                elif not (key or "").startswith(KILLER):
                    members.setdefault(key, next(self._ids))
            self._note(made.segment, members)

    def become(self, made: Iterable[Made]) -> None:
        """What was committed and never pushed is taken back: these events are all there is."""
        with self._lock:
            self._segments = {segment: [(0.0, {})] for segment in self._segments}
        for each in made:
            self.commit(each)

    def members(self, segment: str) -> Members:
        """What a segment has now."""
        with self._lock:
            return self._then(segment, None)

    def segments(self) -> list[str]:
        """All that it has seen."""
        with self._lock:
            return sorted(self._segments)

    def answer(self, segment: str, after: int | None, limit: int | None) -> bytes:
        """What a reader is sent."""
        self.asked += 1
        way = self.way
        with self._lock:
            members = {} if way == "empty" else self._then(segment, LATE_SECONDS if way == "late" else None)
        rows = sorted((number, key) for key, number in members.items() if number > (after or 0))[:limit]
        lines = [json.dumps({"_id": number, **({} if key is None else {"CustomID": key})}) for number, key in rows]
        whole = "\n".join([*lines, json.dumps({"end": True, "count": len(rows)}), ""]).encode()
        # The line's end is no part of the proof, so that what lacks only that is whole.
        return whole[: self._chance.randrange(len(whole) - 1)] if way == "cut" else whole

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()

    def _then(self, segment: str, ago: float | None) -> Members:
        states = self._segments.get(segment, [(0.0, {})])
        if ago is None:
            return dict(states[-1][1])
        until = time.monotonic() - ago
        return dict(next((state for at, state in reversed(states) if at <= until), {}))

    def _note(self, segment: str, members: Members) -> None:
        now = time.monotonic()
        states = [*self._segments.get(segment, [(0.0, {})]), (now, members)]
        old = [n for n, (at, _) in enumerate(states) if at < now - KEPT_SECONDS]
        self._segments[segment] = states[old[-1] if old else 0 :]


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
            body = platform.answer(parts.path.strip("/"), asked.get("after"), asked.get("limit"))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    return Handler
