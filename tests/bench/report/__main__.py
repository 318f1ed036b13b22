"""`python -m tests.bench.report`: the whole benchmark, into docs/benchmarks.md and docs/scaling.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from typing import TYPE_CHECKING

from tests.bench.report import costs, lanes, pacing, slowness, soak, throughput
from tests.bench.report.figures import Figures
from tests.bench.report.machine import QUIET, about
from tests.bench.report.page import write_all
from tests.bench.report.sizes import SIZES, Sizes
from tests.bench.rivals.rsyslog import tree
from tests.bench.rivals.venvs import FOLDER, ROOT, NotInstallableError, venv
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = ROOT / "docs"
KEPT = FOLDER / "figures.json"
RATE = "a.segsync.rate"
"""Of (a), which (h) goes by."""
WAIT_S = 240.0
"""For the load average of a minute to fall, which takes two after everything has ended."""


def parts(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> dict[str, Callable[[], None]]:
    """Everything, in its order, by the name that --only takes."""
    return {
        "a": lambda: throughput.measure("a", servers, sizes, rounds, figures),
        "b": lambda: throughput.measure("b", servers, sizes, rounds, figures),
        "c": lambda: throughput.measure("c", servers, sizes, rounds, figures),
        "lane": lambda: lanes.filled(servers, sizes, rounds, figures),
        "d": lambda: lanes.due(servers, sizes, figures),
        "e": lambda: lanes.fan(servers, sizes, rounds, figures),
        "f": lambda: pacing.measure(servers, sizes, figures),
        "g": lambda: slowness.beside(servers, sizes, rounds, figures),
        "i": lambda: slowness.workers(servers, sizes, rounds, figures),
        "push": lambda: costs.pushing(servers, sizes, rounds, figures),
        "bytes": lambda: costs.bytes_in_redis(servers, figures),
        "ledger": lambda: costs.ledger(servers, figures),
        "start": lambda: costs.starting(servers, figures),
        "j": lambda: costs.idle(servers, sizes, figures),
        "h": lambda: soak.measure(servers, sizes, figures),
    }


def main(arguments: list[str]) -> int:
    """Measures, keeps the figures, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.report", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], metavar="PART", help="some parts; the page is not written")
    parser.add_argument(
        "--again", nargs="*", default=[], metavar="PART", help="some parts, into the last whole run's page"
    )
    parser.add_argument("--redraw", action="store_true", help="write the page from the figures of the last whole run")
    chosen = parser.parse_args(arguments)
    if chosen.redraw:
        write_all(DOCS, Figures.read(KEPT))
        return 0
    _install()
    load = _quiet(WAIT_S if chosen.size == "full" else 0)
    figures, started = Figures(), time.monotonic()
    with Servers() as servers:
        known = parts(servers, SIZES[chosen.size], chosen.rounds, figures)
        if unknown := [name for name in [*chosen.only, *chosen.again] if name not in known]:
            parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
        figures.about = about(servers, load, f"make bench ROUNDS={chosen.rounds} SIZE={chosen.size}", chosen.size)
        if chosen.again:
            _again(chosen.again, servers, SIZES[chosen.size], chosen.rounds, figures.about)
            return 0
        for name in chosen.only or known:
            _measure(name, known[name], figures)
            if not chosen.only:
                figures.save(KEPT)
    _tell(f"all of it: {time.monotonic() - started:.0f} s")
    if chosen.only:
        for name, values in sorted(figures.values.items()):
            _tell(f"{name:<40}{' '.join(f'{value:,.3g}' for value in values)}")
        _tell(f"rows that differ: {figures.wrong}; missing: {figures.missing}")
    else:
        write_all(DOCS, figures)
        _tell(f"written: benchmarks.md, benchmarks.svg and scaling.md in {DOCS}")
    return 0


def _again(names: list[str], servers: Servers, sizes: Sizes, rounds: int, about: dict[str, str]) -> None:
    """Measures these parts, and writes the page anew from the last whole run's figures and theirs."""
    kept = Figures.read(KEPT)
    for name in names:
        fresh = Figures({each: values for each, values in kept.values.items() if each == RATE}, about=about)
        _measure(name, parts(servers, sizes, rounds, fresh)[name], fresh)
        kept.take_over(name, fresh)
        kept.save(KEPT)
    write_all(DOCS, kept)


def _measure(name: str, part: Callable[[], None], figures: Figures) -> None:
    began = time.monotonic()
    try:
        part()
    except Exception as error:  # noqa: BLE001  half an hour of others' figures is not thrown away for one
        figures.missing[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        traceback.print_exc()
    _tell(f"{name}: {time.monotonic() - began:.0f} s")


def _quiet(seconds: float) -> float:
    """Waits so long at most for a quiet machine, since installing is work, too; the load average then."""
    ends = time.monotonic() + seconds
    while (load := os.getloadavg()[0]) > QUIET and time.monotonic() < ends:
        time.sleep(1)
    return load


def _install() -> None:
    for name in ("rivals", "rival-singer", ""):
        try:
            _ = venv(name) if name else tree()
        except NotInstallableError as error:
            _tell(f"not to be had here: {error}")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
