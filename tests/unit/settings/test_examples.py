"""What stands in examples/ works as it stands there."""

from __future__ import annotations

from pathlib import Path

from workers.errors import Mistake
from workers.settings import from_published, load
from workers.templates import QueryKind, Row, SegmentView

EXAMPLE = Path(__file__).parents[3] / "examples" / "segsync.toml"
ENVIRON = {"CRM_PASSWORD": "p@ss", "WAREHOUSE_PASSWORD": "x"}


def test_the_worked_example_loads_without_a_warning() -> None:
    settings = load(EXAMPLE, ENVIRON)

    assert settings.warnings == []
    assert settings.check_secrets(ENVIRON) == []
    assert {key: each.dialect for key, each in settings.connectors.items()} == {
        "crm": "mysql",
        "warehouse": "postgresql",
    }
    for integration in settings.integrations.values():
        assert (integration.key_fields, integration.batch_size, integration.timeout_ms) == (("CustomID",), 1000, 60_000)
        assert set(integration.queries) == set(QueryKind)
    assert from_published(settings.published(), settings.local, {}).digest == settings.digest


def test_the_worked_example_needs_nothing_but_its_two_passwords() -> None:
    assert load(EXAMPLE, {}).check_secrets({}) == [
        Mistake("connectors.crm.password", "the environment variable CRM_PASSWORD is not set"),
        Mistake("connectors.warehouse.password", "the environment variable WAREHOUSE_PASSWORD is not set"),
    ]


def test_the_worked_example_keeps_hostile_names_inside_their_quotes() -> None:
    hostile = {"_id": "1", "CustomID": 'x", NOW()),(666,"evil', "email": "o'brien@example.com"}
    segment = SegmentView("7", "VIP", 0, 0)
    rendered = {
        key: integration.queries[QueryKind.ADD].render([Row(dict(hostile), 0, 1)], segment)
        for key, integration in load(EXAMPLE, ENVIRON).integrations.items()
    }

    assert '"x"", NOW()),(666,""evil"' in rendered["crm-segments"][0]
    assert "'o''brien@example.com'" in rendered["warehouse-vip"][0]
