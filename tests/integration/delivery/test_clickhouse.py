"""Events to rows where nothing can be taken back: ClickHouse, by the whole way but the processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.jobs import add, clear, delete, remove, upsert
from tests.servers.clickhouse import PASSWORD
from tests.targets import TargetDatabase
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.servers.clickhouse import ClickhouseServer

BAD = "x" * 300


@pytest.fixture
def job(make_job: Callable[[TargetDatabase], Job], clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
    target = TargetDatabase("clickhouse", clickhouse_url, "${CLICKHOUSE_PASSWORD}")
    target.create()
    target.run("ALTER TABLE member ADD CONSTRAINT short CHECK lengthUTF8(client_id) <= 255")
    return make_job(target)


def test_ten_thousand_come_go_and_come_again(job: Job) -> None:
    keys = [f"K{n:05d}" for n in range(10_000)]
    job.configure(batch='{ size = 10_000, timeout = "100ms" }')
    job.push(upsert(7, "O'Neil"), add(7, *keys), remove(7, *keys[::2]), add(7, *keys[::4]), add(8, "B"), clear(8))
    job.push(add(8, "C"), upsert(9, "gone"), delete(9))
    job.ends_right()


def test_one_bad_profile_among_a_thousand_costs_itself(job: Job) -> None:
    keys = [f"K{n:05d}" for n in range(1_000)]
    keys[711] = BAD
    job.push(add(7, *keys))
    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    job.runtime.deliver("crm", "t", 30)
    assert job.target.members() == job.model.members - {("7", BAD)}
    (entry,) = job.quarantined()
    assert entry.code == "clickhouse 469"
    assert "xxx" not in entry.reason


def test_a_table_that_is_not_there_holds_and_sends_nobody_to_quarantine(job: Job) -> None:
    job.configure(add="INSERT INTO nowhere (client_id) VALUES {for $x = $batch}('{$x.CustomID}'){autocomma}{end}")
    job.push(add(7, *(f"K{n}" for n in range(50))))
    job.let_timeouts_pass()
    report = job.drain()
    assert report.failed
    assert job.set_aside() == {}
    assert job.installation.backlog() == 50


def test_a_lost_answer_costs_a_second_try_and_nothing_else(job: Job, clickhouse_server: ClickhouseServer) -> None:
    clickhouse_server.fail(job.target.url.rpartition("/")[2], "INSERT INTO member", "cut after")
    job.push(add(7, "A", "B"), remove(7, "A"))
    assert job.drain().failed
    until(lambda: (job.drain(), job.installation.backlog() == 0)[1], "the second try")
    assert job.target.members() == {("7", "B")}
