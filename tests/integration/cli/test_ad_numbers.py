"""An ad account in numbers: in `status`, `stats`, `errors`, for Prometheus, and what needs someone."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.fakes.server import Reply
from tests.integration.ad_account import buyers
from workers.lanes.clock import redis_ms
from workers.monitoring.metrics import Metrics

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call


@pytest.fixture
def connected(ads: AdAccount) -> AdAccount:
    ads.write(scope="segments = [7, 8]")
    ads.connect()
    return ads


def told(ads: AdAccount) -> None:
    """A segment of 120, and one that is too small."""
    ads.add(buyers(*range(120)))
    ads.add(buyers(*range(40)), segment=8)


def account(call: Call) -> dict[str, Any]:
    (found,) = json.loads(call("status", "--json").stdout)["accounts"]
    return dict(found)


def test_accepted_applied_pending_and_what_is_waited_for_are_told_apart(
    connected: AdAccount, call: Call, yandex: FakeYandex
) -> None:
    told(connected)
    numbers = ("audiences", "accepted", "applied", "pending", "owed")
    before = account(call)
    assert [before[name] for name in numbers] == [2, 120, 0, 120, 40]
    assert before["waiting"] == {"the platform": 1, "data": 1}
    yandex.fail("POST /v1/management/segment/", Reply(400, {"errors": [{"error_type": "no"}]}), times=1)
    connected.remove(buyers(5))
    connected.hours_go_by()
    after = account(call)
    assert [after[name] for name in numbers] == [2, 121, 121, 0, 40]
    assert after["waiting"] == {"data": 1}
    shown = call("status").stdout
    assert "ya" in shown
    assert "data (1)" in shown

    stats = json.loads(call("stats", "--json").stdout)["accounts"]
    assert {(each["action"], each["done"], each["identifiers"], each["failed"]) for each in stats} == {
        ("create", 1, 120, 0),
        ("remove", 1, 1, 1),
    }
    assert "calls to ad platforms" in call("stats").stdout
    (error,) = json.loads(call("errors", "--json").stdout)["accounts"]
    assert (error["connector"], error["segment"], error["calls"]) == ("ya", "7", 1)
    assert "buyers, to ya: yandex-audiences 400 no: the platform refuses the call" in call("errors").stdout

    registry = CollectorRegistry()
    registry.register(Metrics(connected.runtime, None))
    metrics = generate_latest(registry).decode()
    for line in (
        'segsync_ads_owed_identifiers{connector="ya"} 40.0',
        'segsync_ads_applied_identifiers_total{connector="ya"} 121.0',
        'segsync_ads_waiting_audiences{connector="ya",for="data"} 1.0',
    ):
        assert line in metrics


def test_a_budget_that_is_used_up_is_told_and_until_when(connected: AdAccount, call: Call, yandex: FakeYandex) -> None:
    used_up = Reply(429, {"errors": [{"error_type": "quota"}]}, {"Retry-After": "7200"})
    yandex.fail("upload_csv_file", used_up)
    connected.add(buyers(*range(120)))
    found = account(call)
    assert (found["waiting"], found["owed"], found["accepted"]) == ({"budget": 1}, 120, 0)
    assert 3_600 < found["budget_in_s"] <= 7_200
    with connected.target.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET rejected = 3")
    assert account(call)["rejected"] == 3
    assert "may write again in" in call("audiences", "ya").stdout
    registry = CollectorRegistry()
    registry.register(Metrics(connected.runtime, None))
    metrics = generate_latest(registry).decode()
    (wait,) = re.findall(r'segsync_ads_budget_wait_seconds\{connector="ya"\} (\S+)', metrics)
    assert 3_600 < float(wait) <= 7_200
    assert 'segsync_ads_waiting_audiences{connector="ya",for="budget"} 1.0' in metrics


def test_a_login_that_ends_soon_and_a_stuck_audience_need_someone(
    connected: AdAccount, call: Call, yandex: FakeYandex
) -> None:
    yandex.fail("POST /v1/management/segments", Reply(403, {"errors": [{"error_type": "access_denied"}]}), times=9)
    told(connected)
    soon = redis_ms(connected.place.redis) + 13 * 86_400_000
    with connected.target.store.changing() as connection:
        connection.exec_driver_sql(f"UPDATE ads_login SET ends_ms = {soon}")
    status = json.loads(call("status", "--json").stdout)
    needs = " ".join(status["needs"])
    assert "the login of ya with Yandex.Audiences ends" in needs
    assert "expected `segsync connect ya`" in needs
    assert "1 audience of ya cannot go on, that of segment 7 of buyers for: yandex-audiences 403 access_denied" in needs
    assert {"ya login", "ya audiences"} <= set(status["topics"])
    assert re.search(
        r"login +it ends \d{4}-\d\d-\d\d; expected `segsync connect ya`", call("check", "--connect").stdout
    )


def test_a_store_that_is_away_leaves_its_numbers_out(connected: AdAccount, call: Call) -> None:
    told(connected)
    file = connected.place.file
    store = 'store = { url = "postgresql://nobody@127.0.0.1:1/none" }\n'
    file.write_text(file.read_text().replace("[integrations.buyers]", f"{store}[integrations.buyers]"))
    assert call("apply", "--yes").returncode == 0
    status = json.loads(call("status", "--json").stdout)
    assert status["accounts"] == []
    assert any(each.startswith("ad account ya: ads store") for each in status["unread"]), status["unread"]
