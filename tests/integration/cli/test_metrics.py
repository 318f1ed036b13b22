"""`segsync metrics` on a real installation."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.exposition import generate_latest

from tests.integration.place import integration
from tests.repository import ROOT
from tests.servers.process import free_port
from tests.servers.prometheus import programs
from tests.waiting import PATIENCE, until
from workers.cli.commands.metrics import address
from workers.control.drain import drain
from workers.errors import WrongUsage
from workers.monitoring.consumers import Consumers
from workers.monitoring.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.place import Place


def test_what_is_owed_and_what_was_done(place: Place) -> None:
    runtime = place.publish(integration(), integration("late", segments="[9]", active=False))
    registry = CollectorRegistry(auto_describe=False)
    watching = place.publish(integration(), integration("late"))
    registry.register(Metrics(watching, lambda: Consumers(2, {"route": 2})))
    value = registry.get_sample_value
    assert value("segsync_up") == 1
    assert value("segsync_ledger_up") == 1
    place.add("7", 10)
    runtime.route("token", 5)
    crm = {"integration": "crm"}
    assert value("segsync_backlog_operations", crm) == 10
    assert value("segsync_integration_state", crm | {"state": "active"}) == 1
    assert value("segsync_queue_consumers", {"queue": "route"}) == 2
    assert value("segsync_queue_consumers", {"queue": "deliver.db"}) == 0
    assert value("segsync_workers") == 2

    drain(runtime)
    assert value("segsync_backlog_operations", crm) == 0
    assert value("segsync_rows_total", crm | {"event_type": "add"}) == 10
    assert value("segsync_rows_total", crm | {"event_type": "add"}) == 10, "each is counted once"

    place.publish(integration(), integration("new"))
    assert value("segsync_revision") == 3
    assert value("segsync_backlog_operations", {"integration": "new"}) == 0
    assert watching.applied.revision == 3, "it may name another ledger"


def test_a_dead_redis_is_told_and_nothing_else(place: Place) -> None:
    runtime = place.publish(integration())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(runtime, None))
    assert registry.get_sample_value("segsync_up") == 1
    place.url = "redis://127.0.0.1:1/0"
    runtime.redis = place.write(integration()).local.redis.client()
    assert registry.get_sample_value("segsync_up") == 0
    assert registry.get_sample_value("segsync_intake_events") is None


def test_promtool_agrees(place: Place) -> None:
    config = str(ROOT / "examples" / "monitoring" / "prometheus.yml")
    done = subprocess.run(
        [str(programs().promtool), "check", "config", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(place.publish(integration()), lambda: Consumers(2, {"route": 2})))
    told = generate_latest(registry).decode()
    judge = [str(programs().promtool), "check", "metrics"]
    done = subprocess.run(judge, input=told, capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


DRIFT = """
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'segsync_differing_segments{integration="crm"}'
        values: '0 2 2 0'
      - series: 'segsync_failing_segments{integration="crm"}'
        values: '0 1 1 0'
    alert_rule_test:
      - {eval_time: 0m, alertname: SegsyncDiffers, exp_alerts: []}
      - eval_time: 2m
        alertname: SegsyncDiffers
        exp_alerts:
          - exp_labels: {severity: warning, integration: crm}
            exp_annotations:
              summary: 2 segments of crm differ from the platform
              description: "`segsync status` names them; `segsync resync crm --segment S` makes one equal."
      - {eval_time: 3m, alertname: SegsyncDiffers, exp_alerts: []}
      - eval_time: 2m
        alertname: SegsyncRunsFail
        exp_alerts:
          - exp_labels: {severity: warning, integration: crm}
            exp_annotations:
              summary: 1 segments of crm could not be compared with the platform
              description: "`segsync status` says why."
      - {eval_time: 3m, alertname: SegsyncRunsFail, exp_alerts: []}
"""


def test_drift_is_an_alert_until_it_is_over(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "monitoring" / "alerts.yml", tmp_path)
    (tmp_path / "drift.yml").write_text(DRIFT)
    judge = [str(programs().promtool), "test", "rules", "drift.yml"]
    done = subprocess.run(judge, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_real_prometheus_reads_them(place: Place) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Metrics(place.publish(integration()), None))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    config = (ROOT / "examples" / "monitoring" / "prometheus.yml").read_text()
    config = config.replace("15s", "1s").replace("127.0.0.1:9464", f"127.0.0.1:{server.server_port}")
    (place.folder / "prometheus.yml").write_text(config)
    shutil.copy(ROOT / "examples" / "monitoring" / "alerts.yml", place.folder)
    port = free_port()
    command = [str(programs().prometheus), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(command, cwd=place.folder) as process:
        try:
            until(lambda: asked(port, "segsync_up") == "1", "Prometheus has scraped us")
            assert asked(port, 'segsync_backlog_operations{integration="crm"}') == "0"
        finally:
            process.terminate()
    server.shutdown()
    thread.join()
    server.server_close()


def asked(port: int, query: str) -> str | None:
    """What Prometheus answers; None while it has nothing."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return None
    return str(found[0]["value"][1]) if found else None


def test_it_serves_until_it_is_told_to_end(place: Place) -> None:
    place.publish(integration())
    command = [sys.executable, "-m", "workers.cli", "metrics", "--listen", "127.0.0.1:0"]
    environ = {**os.environ, "SEGSYNC_CONFIG": str(place.file)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/metrics", process.stderr.readline())
        assert found is not None
        with urllib.request.urlopen(found[0], timeout=PATIENCE) as answer:  # noqa: S310 - our own server
            told = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert 'segsync_backlog_operations{integration="crm"} 0.0' in told


@pytest.mark.parametrize("text", ["9464", "localhost", "a:b", "a:70000", ":::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="expected HOST:PORT"):
        address(text)


def test_addresses() -> None:
    assert [address(text) for text in (":9464", "192.0.2.1:1", "[::1]:2")] == [
        ("127.0.0.1", 9464),
        ("192.0.2.1", 1),
        ("::1", 2),
    ]
