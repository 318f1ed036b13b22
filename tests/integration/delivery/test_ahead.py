"""While a target executes a batch the next one is made ready: it is the very batch that would have been cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.jobs import Job, add, clear, remove
from workers.connectors.sql import ahead, delivery

if TYPE_CHECKING:
    import pytest

SMALL = '{ size = 50, timeout = "100ms" }'


def rendered_in(module: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The shipments that are rendered in this module from now on."""
    found: list[Any] = []
    render = module.render

    def noted(shipment: Any) -> Any:
        found.append(shipment)
        return render(shipment)

    monkeypatch.setattr(module, "render", noted)
    return found


def test_each_batch_is_rendered_once_and_most_while_the_one_before_it_is_executed(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    job.configure(batch=SMALL)
    # A turn that ends lets go of what is ready; on a busy machine it would.
    monkeypatch.setattr("workers.delivery.beginning.TURN_SECONDS", 600)
    meanwhile, in_turn = rendered_in(ahead, monkeypatch), rendered_in(delivery, monkeypatch)
    job.push(*(add(1, n) for n in range(220)))
    job.ends_right()
    parts_the_two = job.target.dialect != "sqlite"
    assert (len(meanwhile), len(in_turn)) == ((3, 2) if parts_the_two else (0, 5)), "the last one is not full"


def test_what_was_made_ready_is_told_in_its_turn_whatever_is_wrong_with_it(job: Job) -> None:
    job.configure(batch=SMALL)
    job.push(*(add(1, n) for n in range(50)))
    bad = add(1, "x")
    bad["profiles"][0]["CustomID"] = ["no key"]
    job.push(*(add(1, n) for n in range(50, 70)), *(remove(1, n) for n in range(10)))
    job.installation.producer.push([bad])
    job.push(*(add(1, n) for n in range(70, 120)))
    job.ends_right()
    assert [entry.code for entry in job.quarantined()] in ([], ["bad key"])


def test_a_clear_that_comes_meanwhile_makes_moot_what_was_made_ready(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.configure(batch=SMALL)
    job.push(*(add(1, n) for n in range(100)))
    job.runtime.route("t", 30)
    settle, runtime = type(job.runtime.lanes).settle, job.installation.runtime()

    def clears_first(lanes: Any, settlement: Any) -> Any:
        monkeypatch.setattr(type(lanes), "settle", settle)
        job.push(clear(1), add(1, "after"))
        runtime.route("t2", 30)
        return settle(lanes, settlement)

    monkeypatch.setattr(type(job.runtime.lanes), "settle", clears_first)
    job.ends_right()
    assert sum(each.moot for each in job.tries()) in {0, 50}
