"""What each page of the console costs its processor with 500 integrations, beside five."""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from tests.bench.measuring import Ratio
from tests.integration.place import Place, integration
from workers.console.opening import opened
from workers.console.pages import PAGES
from workers.control.drain import drain
from workers.monitoring.consumers import Consumers
from workers.settings.console import load_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers

FEW, MANY = 5, 500
SEGMENTS = 3
ROUNDS = 7


def ratios(servers: Servers) -> Iterator[Ratio]:
    """Each page: processor seconds of the console's process, the client's with them, of so many looks."""
    logging.getLogger("segsync").setLevel(logging.ERROR)  # what is refused is said of each integration
    with _console(servers, MANY) as many, _console(servers, FEW) as few:
        for path in paths():
            for client in (many, few):  # what is kept between looks is there in both
                assert client.get(path).status_code == 200, path
            pairs = [(_spent(many, path), _spent(few, path)) for _ in range(ROUNDS)]
            ours, other = zip(*pairs, strict=True)
            yield Ratio(f"{path}, with {MANY} integrations, beside {FEW}", ours, other)


def paths() -> list[str]:
    """Every page but that of an ad account."""
    named = [
        page.path.replace("/connectors/{key}", "/connectors/db") for page in PAGES if "/accounts/" not in page.path
    ]
    shown = [path.replace("{key}", "crm1").replace("{number}", "1").replace("{id}", "1") for path in named]
    return [f"{path}?id=7" if path == "/segment" else path for path in shown]


def _spent(client: TestClient, path: str) -> float:
    began = time.process_time()
    client.get(path)
    return time.process_time() - began


@contextmanager
def _console(servers: Servers, many: int) -> Iterator[TestClient]:
    """A console of an installation that has delivered something to each, and refused something of each."""
    redis = servers.redis.client()
    with TemporaryDirectory() as folder:
        place = Place(Path(folder), redis, servers.redis.url, f"pages-{many}")
        runtime = place.publish(*(integration(f"crm{n}") for n in range(many)))
        for segment in range(SEGMENTS):
            place.add(str(segment + 6), 2)
        bad = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "bad"}]}
        redis.xadd(place.keys.events, {"event": json.dumps(bad)})
        place.let_timeouts_pass()
        drain(runtime)
        runtime.drain_outcomes(60)
        app = opened(load_console(place.file), "me@here", lambda: Consumers(1, {}), path=place.file)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            yield client
        runtime.redis.close()
    redis.close()
