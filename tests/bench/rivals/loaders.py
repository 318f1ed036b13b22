"""Loaders that people use for this: a Singer target, and dlt. Each makes a table of its own beside ours."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.bench.measuring import timed
from tests.bench.rivals.services import SCRIPTS, environment
from tests.bench.rivals.venvs import venv

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.report.loads import Load

SCHEMA: dict[str, object] = {
    "type": "SCHEMA",
    "stream": "member_singer",
    "key_properties": ["segment_id", "client_id"],
    "schema": {"properties": {"segment_id": {"type": "integer"}, "client_id": {"type": "string"}}},
}
INTO_OURS = "INSERT INTO member (segment_id, client_id) SELECT segment_id, client_id FROM public.{}"
"""After the time is taken: what the loader's own table holds is compared like everybody's."""


class Singer:
    """MeltanoLabs' target-postgres, upserting, its batches and COPY left as its manual has them for that.

    Its start, without a record, is taken off.
    """

    title = "Singer: target-postgres"

    def run(self, place: Place, load: Load) -> float:
        """Seconds that its records took."""
        records = [
            {"segment_id": event["segment"]["id"], "client_id": profile["CustomID"]}
            for event in load.events
            for profile in event["profiles"]
        ]
        lines: list[dict[str, object]] = [
            {"type": "RECORD", "stream": SCHEMA["stream"], "record": record} for record in records
        ]
        empty = timed(lambda: self._pipe(place, [SCHEMA]))
        full = timed(lambda: self._pipe(place, [SCHEMA, *lines]))
        place.target.run(INTO_OURS.format("member_singer"))
        return full - empty

    def _pipe(self, place: Place, lines: list[dict[str, object]]) -> None:
        url = make_url(place.target.url)
        config = place.folder / "singer.json"
        address = {"host": url.host, "port": url.port, "user": url.username, "password": "-", "database": url.database}
        chosen = {"default_target_schema": "public", "load_method": "upsert", "use_copy": True}
        config.write_text(json.dumps(address | chosen))
        command = [str(venv("rival-singer") / "target-postgres"), "--config", str(config)]
        text = "\n".join(json.dumps(line) for line in lines) + "\n"
        _run(command, place, text)


class Dlt:
    """A pipeline with `merge`; it says itself how long it took, its imports left out."""

    title = "dlt, merge by upsert"

    def run(self, place: Place, load: Load) -> float:
        """Seconds of its `run`."""
        events = place.folder / "events.jsonl"
        events.write_text("\n".join(json.dumps(event) for event in load.events) + "\n")
        said = _run([str(venv("rivals") / "python"), str(SCRIPTS / "dlt_load.py"), str(events)], place, "")
        place.target.run(INTO_OURS.format("member_dlt"))
        return float(said.split()[-1])


def _run(command: list[str], place: Place, text: str) -> str:
    told = environment(place) | {"HOME": str(place.folder), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    told |= {"PATH": "/usr/bin:/bin", "DESTINATION__POSTGRES__CREDENTIALS__PASSWORD": "-"}  # trusted, but asked for
    done = subprocess.run(command, input=text, text=True, env=told, capture_output=True, cwd=place.folder, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with status {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout
