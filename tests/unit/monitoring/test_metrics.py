"""Metrics by name: in the code, on the page, in the alert rules and on the dashboard."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.repository import ROOT
from workers.ledger.tail import Added
from workers.monitoring import metrics
from workers.monitoring.counters import Counted

PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples" / "monitoring"
NAMES = {
    *metrics.GAUGES,
    *metrics.OF_QUEUE,
    *metrics.OF_CONNECTOR,
    *metrics.OF_INTEGRATION,
    *(f"{name}_total" for name in metrics.TOTALS),
    *metrics.OF_ACCOUNT,
    *(f"{name}_total" for name in metrics.OF_ACCOUNT_TOTALS),
    "segsync_ads_waiting_audiences",
    "segsync_integration_state",
}
DELIVERY = {
    "integration": "crm",
    "outcome": "delivered",
    "tries": 1,
    "code": "",
    "operations": 10,
    "merged": 2,
    "moot": 0,
    "quarantined": 1,
    "duration_us": 20_000,
    "waited_ms": 700,
}
FAILURE = DELIVERY | {"outcome": "retry", "code": "sqlite SQLITE_BUSY", "tries": 3}
QUERY = {"integration": "crm", "event_type": "add", "runs": 1, "rows": 7}


def counted() -> Counted:
    found = Counted()
    found.add(Added([DELIVERY, FAILURE], [QUERY]))  # type: ignore[list-item]  # rows of a database are such mappings
    return found


def names_counted() -> set[str]:
    return {
        name if kind == "histogram" else f"{name}_total"
        for metric in counted().registry.collect()
        for name, kind in [(metric.name, metric.type)]
    }


def named(text: str) -> set[str]:
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bsegsync_\w+", text)}


def test_the_page_has_every_metric_and_no_other() -> None:
    assert named(PAGE) == NAMES | names_counted()


def labels() -> dict[str, str]:
    """What each metric is told by, as the page writes it."""
    found = dict.fromkeys(NAMES, "") | {
        f"{metric.name}{'' if metric.type == 'histogram' else '_total'}": ", ".join(
            f"`{name}`" for name in metric.samples[0].labels if name != "le"
        )
        for metric in counted().registry.collect()
    }
    for names, label in (
        (metrics.OF_QUEUE, "`queue`"),
        (metrics.OF_CONNECTOR, "`connector`"),
        (metrics.OF_INTEGRATION, "`integration`"),
        (metrics.OF_ACCOUNT, "`connector`"),
        ([f"{name}_total" for name in metrics.OF_ACCOUNT_TOTALS], "`connector`"),
    ):
        found |= dict.fromkeys(names, label)
    return found | {
        "segsync_integration_state": "`integration`, `state`",
        "segsync_ads_waiting_audiences": "`connector`, `for`",
        "segsync_dropped_operations_total": "`integration`",
    }


def test_the_page_has_the_labels_of_each() -> None:
    rows = re.findall(r"^\| (`segsync_\w+`(?:, `segsync_\w+`)*) \| (.*?) ?\| ", PAGE, re.MULTILINE)
    assert {name: told for names, told in rows for name in named(names)} == labels()


@pytest.mark.parametrize("file", ["alerts.yml", "grafana.json"])
def test_rules_and_dashboard_ask_for_what_there_is(file: str) -> None:
    assert named((EXAMPLES / file).read_text(encoding="utf-8")) <= NAMES | names_counted()


def test_the_dashboard_and_the_rules_can_be_read() -> None:
    assert len(json.loads((EXAMPLES / "grafana.json").read_text())["panels"]) > 10
    (group,) = yaml.safe_load((EXAMPLES / "alerts.yml").read_text())["groups"]
    assert all({"alert", "expr", "labels", "annotations"} <= rule.keys() for rule in group["rules"])


def test_what_the_ledger_gets_is_counted() -> None:
    value = counted().registry.get_sample_value
    crm = {"integration": "crm"}
    assert value("segsync_deliveries_total", crm | {"outcome": "delivered"}) == 1
    assert value("segsync_deliveries_total", crm | {"outcome": "retry"}) == 3
    assert value("segsync_failures_total", crm | {"code": "sqlite SQLITE_BUSY"}) == 3
    assert value("segsync_operations_total", crm | {"fate": "told"}) == 7
    assert value("segsync_rows_total", crm | {"event_type": "add"}) == 7
    assert value("segsync_delivery_latency_seconds_bucket", crm | {"le": "1.0"}) == 1
    assert value("segsync_delivery_latency_seconds_bucket", crm | {"le": "0.5"}) == 0
    assert value("segsync_delivery_duration_seconds_count", crm) == 1, "what was summed up has no duration"
