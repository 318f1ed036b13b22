"""When most profiles are refused the query is at fault: what counts, and for how long (rule 23)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.lanes.test_scripts import Bench
from workers.lanes import Alike, Systemic
from workers.lanes.messages import Release

if TYPE_CHECKING:
    import redis

MOST_MS = 600_000


def refuse(bench: Bench, claim: str, *profiles: int) -> list[bool | Systemic | Alike]:
    releases = (Release("crm", "7", claim, "again", bad=f"p{n}", code=f"code {n % 3}", aside=b"x") for n in profiles)
    return [bench.lanes().release(each) for each in releases]


def test_ten_minutes_count_from_the_first_and_not_from_the_last(redis_client: redis.Redis, namespace: str) -> None:
    """What is refused now and then in the course of a day added up to a query at fault."""
    bench = Bench(redis_client, namespace)
    bench.append(30)
    claim, bad = bench.claim().claim, f"{namespace}:bad:crm"
    refuse(bench, claim, 0)
    assert 0 < redis_client.pttl(bad) <= MOST_MS
    redis_client.pexpire(bad, MOST_MS // 2)
    assert refuse(bench, claim, *range(1, 19)) == [True] * 18
    assert 0 < redis_client.pttl(bad) <= MOST_MS // 2
    (told,) = refuse(bench, claim, 19)
    assert isinstance(told, Systemic)
    assert dict(told.causes) == {"code 0": 7, "code 1": 7, "code 2": 6}
