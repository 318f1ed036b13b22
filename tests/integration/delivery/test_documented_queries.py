"""Every query that the documentation shows, with any profile: one profile's fault costs that profile alone."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documented import Documented, documented, page
from tests.integration.delivery.test_any_profile import HOSTILE, WELL_KNOWN, delivered
from tests.servers.clickhouse import PASSWORD
from tests.targets import TargetDatabase
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

ALL = documented()
ALWAYS = ("recipes.md: sqlite", "templates.md: sqlite")
"""What needs no server; the others are a minute together."""
EXAMPLES = [
    pytest.param(each, id=each.name, marks=() if each.name in ALWAYS else (pytest.mark.proof, pytest.mark.fetched))
    for each in ALL
]
GOOD = {"tags": ["eu", "O'Brien"], "address": {"city": "Köln"}, "age": "42", "score": 12.5, "born": "1990-05-01",
        "seen": "2026-11-21T18:30:00+01:00", "vip": True, "email": "ann@example.com"}  # fmt: skip
"""What every example takes."""
HALF_KNOWN: tuple[object, ...] = (
    *("yes", "042", "1990-02-31", "99999999999999999999", "24:00", "{}", "["),
    *(-1, 1e300, [1, None], {"a": []}),
)
ANYTHING = HOSTILE | st.sampled_from(WELL_KNOWN) | st.sampled_from(HALF_KNOWN)
PROFILES = st.lists(
    st.fixed_dictionaries({"CustomID": ANYTHING}, optional=dict.fromkeys(GOOD, ANYTHING)), min_size=1, max_size=4
)
KEYS = ("900001", "900002", "900003")


def event(kind: str, segment: int, *profiles: dict[str, object], name: str = "") -> dict[bytes, bytes]:
    told: dict[str, object] = {"type": kind, "segment": {"id": segment, **({"name": name} if name else {})}}
    if profiles:
        told["profiles"] = [{**profile, "_id": str(n)} for n, profile in enumerate(profiles)]
    return {b"event": json.dumps(told).encode()}


@pytest.fixture(params=EXAMPLES)
def shown(
    request: pytest.FixtureRequest, make_job: Callable[[TargetDatabase], Job], monkeypatch: pytest.MonkeyPatch
) -> tuple[Documented, Job]:
    """A documented integration, applied, with its tables."""
    example: Documented = request.param
    fixture = {"mysql": "mariadb"}.get(example.dialect, example.dialect)
    password = request.getfixturevalue("mariadb_server").password if example.dialect == "mysql" else None
    if example.dialect == "clickhouse":
        monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
        password = "${CLICKHOUSE_PASSWORD}"
    target = TargetDatabase(example.dialect, request.getfixturevalue(f"{fixture}_url"), password)
    target.run(*example.tables)
    job = make_job(target)
    unsaid = {"clear", "segment_upsert", "segment_delete"} - example.queries.keys()
    unbatched = () if example.batched else ("batch",)
    integration = target.integration(leave_out=(*unsaid, *unbatched), **example.queries)
    key = json.dumps(example.fields)
    job.installation.configure(target.connector() + integration.replace('key = "CustomID"', f"key = {key}"))
    revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))
    return example, job


def rows(example: Documented, job: Job, segment: int) -> set[str]:
    found = job.target.run(
        f"SELECT {example.key} FROM {example.table}{job.target.final} WHERE {example.segment} = {segment}"
    )
    return {_text(key).rstrip() for (key,) in found}


def _text(key: object) -> str:
    return bytes(key).decode(errors="replace") if isinstance(key, bytes | memoryview) else str(key)


def test_no_profile_holds_the_others_up(shown: tuple[Documented, Job]) -> None:
    example, job = shown
    first, gone, last = ({**GOOD, "CustomID": key} for key in KEYS)
    segments = count(1)

    @given(profiles=PROFILES, name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20))
    def one(profiles: list[dict[str, object]], name: str) -> None:
        segment = next(segments)
        for each in (
            event("segment_upsert", segment, name=name),
            event("add", segment, *profiles, first, gone),  # whoever comes first has nobody who passed before
            event("remove", segment, *profiles, gone),
            event("add", segment, last, *profiles),
        ):
            job.installation.redis.xadd(job.installation.keys.events, each)
        delivered(job)
        left = rows(example, job, segment)
        assert {KEYS[0], KEYS[2]} <= left
        assert KEYS[1] not in left

    one()


def test_each_place_that_shows_queries_is_looked_at() -> None:
    pages = {each.place for each in ALL}
    assert pages == {"README.md", "recipes.md", "templates.md", "segsync.toml", "configuration.md", "init"} | {
        "compose", "templates.md, whole keys"
    }  # fmt: skip
    assert page("docs/recipes.md").count(" add\n") == 6, "four of them have a server here"
