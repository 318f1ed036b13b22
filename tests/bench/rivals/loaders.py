"""Loaders that people use for this: a Singer target, and dlt. Each makes a table of its own beside ours."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.bench.report.contest import LONGEST_SECONDS
from tests.bench.rivals.services import SCRIPTS, environment
from tests.bench.rivals.venvs import venv
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.report.loads import Load

STREAM = "member_singer"
SCHEMA: dict[str, object] = {
    "type": "SCHEMA",
    "stream": STREAM,
    "key_properties": ["segment_id", "client_id"],
    "schema": {"properties": {"segment_id": {"type": "integer"}, "client_id": {"type": "string"}}},
}
INTO_OURS = "INSERT INTO member (segment_id, client_id) SELECT segment_id, client_id FROM public.{}"
"""After the time is taken: what the loader's own table holds is compared like everybody's."""


class Singer:
    """MeltanoLabs' target-postgres, upserting, its batches and COPY left as its manual has them for that.

    The clock runs from when it has made its table, so its start is left out, to its end.
    """

    title = "Singer: target-postgres"

    def run(self, place: Place, load: Load) -> float:
        """Seconds from its table to its end."""
        records = [
            {"segment_id": event["segment"]["id"], "client_id": profile["CustomID"]}
            for event in load.events
            for profile in event["profiles"]
        ]
        lines = [{"type": "RECORD", "stream": STREAM, "record": record} for record in records]
        said = place.folder / "singer.jsonl"
        said.write_text("\n".join(json.dumps(line) for line in [SCHEMA, *lines]) + "\n")
        with said.open() as text, (place.folder / "singer.log").open("w") as log:
            process = subprocess.Popen(
                self._command(place), stdin=text, stdout=log, stderr=log, env=_told(place), cwd=place.folder
            )
        _made(place, process)
        started = time.perf_counter()
        status = process.wait(LONGEST_SECONDS)
        took = time.perf_counter() - started
        if status:
            raise RuntimeError(f"target-postgres: status {status}: {(place.folder / 'singer.log').read_text()[-3000:]}")
        place.target.run(INTO_OURS.format(STREAM))
        return took

    def _command(self, place: Place) -> list[str]:
        url = make_url(place.target.url)
        config = place.folder / "singer.json"
        address = {"host": url.host, "port": url.port, "user": url.username, "password": "-", "database": url.database}
        chosen = {"default_target_schema": "public", "load_method": "upsert", "use_copy": True}
        config.write_text(json.dumps(address | chosen))
        return [str(venv("rival-singer") / "target-postgres"), "--config", str(config)]


def _made(place: Place, process: subprocess.Popen[bytes]) -> None:
    """Waits until the target has made its table, or has ended."""
    connection = place.target.connect()
    try:
        cursor = connection.cursor()

        def there() -> bool:
            cursor.execute(f"SELECT to_regclass('public.{STREAM}')")
            return process.poll() is not None or cursor.fetchone()[0] is not None

        until(there, "its table", LONGEST_SECONDS)
    finally:
        connection.close()


class Dlt:
    """A pipeline with `merge`; it says itself how long it took, its imports left out."""

    title = "dlt, merge by upsert"

    def run(self, place: Place, load: Load) -> float:
        """Seconds of its `run`."""
        events = place.folder / "events.jsonl"
        events.write_text("\n".join(json.dumps(event) for event in load.events) + "\n")
        said = _run([str(venv("rivals") / "python"), str(SCRIPTS / "dlt_load.py"), str(events)], place)
        place.target.run(INTO_OURS.format("member_dlt"))
        return float(said.split()[-1])


def _run(command: list[str], place: Place) -> str:
    done = subprocess.run(command, text=True, env=_told(place), capture_output=True, cwd=place.folder, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with status {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def _told(place: Place) -> dict[str, str]:
    told = environment(place) | {"HOME": str(place.folder), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    # PostgreSQL trusts everybody here, but a password is asked for.
    return told | {"PATH": "/usr/bin:/bin", "DESTINATION__POSTGRES__CREDENTIALS__PASSWORD": "-"}
