"""A run that waits for a delivery: whoever delivers may have woken the reader before it had noted that it waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from workers.resync.reaching import Reach
from workers.resync.work import LONG_MS, LOW, Work, wait_for_room, wait_until_free
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("wait", "lane", "woken"),
    [
        (wait_until_free, {"before": "0"}, True),
        (wait_until_free, {"before": "1"}, False),
        (wait_until_free, {"before": "0", "owner": "somebody"}, False),
        (wait_for_room, {"before": str(LOW)}, True),
        (wait_for_room, {"before": str(LOW + 1)}, False),
    ],
)
def test_what_was_delivered_in_between_is_seen(wait: Callable[[Work], None], lane: dict[str, str], woken: bool) -> None:
    """Else its lane would stand for half a minute, and nothing told why."""
    looks: list[int] = []
    runs = SimpleNamespace(look=lambda _, ms: looks.append(ms))
    work: Any = SimpleNamespace(
        run=SimpleNamespace(id="1"), runs=runs, lane=lambda: lane if looks else {"before": "9999"}
    )
    wait(cast("Work", work))
    assert looks == ([LONG_MS, 0] if woken else [LONG_MS])


CRM = """
[connectors.crm]
url = "{url}"
[integrations.crm]
name = "CRM"
connector = "crm"
key = "CustomID"
scope = {{ database = "main", segments = "all" }}
queries.add = "INSERT INTO member (segment_id, client_id) VALUES ({{segment_id}}, '{{lead.CustomID}}')"
queries.remove = "DELETE FROM member WHERE segment_id = {{segment_id}} AND client_id = '{{lead.CustomID}}'"
queries.clear = "DELETE FROM member WHERE segment_id = {{segment_id}}"
"""


@pytest.mark.parametrize(
    ("url", "mode"),
    [("postgresql://db/crm", "replace"), ("sqlite:///crm.db", "replace"), ("clickhouse://db/crm", "resend")],
)
def test_nothing_is_cleared_first_where_no_lock_keeps_a_late_clear_away(tmp_path: Path, url: str, mode: str) -> None:
    (tmp_path / "segsync.toml").write_text(CRM.format(url=url))
    settings = load(tmp_path / "segsync.toml")
    doors: Any = (dict, dict, dict, dict, dict)
    way = Reach(*doors).way_to(settings.connectors["crm"], "crm", "7")
    work: Any = SimpleNamespace(integration=settings.integrations["crm"], way=way)
    assert Work.mode(work) == mode
