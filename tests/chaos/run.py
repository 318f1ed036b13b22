"""A chaos run: rounds by the dozen on one installation, one line each; a failing one keeps its folder."""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from tests.chaos import faults
from tests.chaos.rounds import RESYNCS, Report, Round
from tests.chaos.servers import Servers
from tests.chaos.session import Session

ROUNDS_PER_SESSION = 12
LONGEST_BUDGET = 6 * 3600.0


class Run:
    """Rounds of one seed.

    folder   where failing rounds leave their logs
    resyncs  share of rounds with resyncs beside their fault
    """

    def __init__(self, seed: int, folder: Path, resyncs: float = RESYNCS) -> None:
        self._resyncs = resyncs
        self.seed = seed
        self.folder = folder
        self._servers = Servers()
        self._session: Session | None = None
        self._rounds = 0

    def __enter__(self) -> Self:
        try:
            self._servers.start()
        except BaseException:
            self._servers.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._leave()
        finally:
            self._servers.remove()

    def round(self, number: int, fault: str | None = None) -> Report:
        """Runs one round, with a fault by name or a random one; one that fails keeps its folder."""
        if self._session is None:
            chance = random.Random(f"{self.seed}:session:{number}")
            self._session = Session(self.folder / f"session-{number}", self._servers, chance)
            self._rounds = 0
        this = Round(self._session, self.seed, number, fault, self._resyncs)
        report = this.run()
        self._rounds += 1
        if report.problems:
            this.write_down(self._session.installation.folder, report)
        if report.problems or report.ends_session or self._rounds >= ROUNDS_PER_SESSION:
            self._leave(keep=bool(report.problems))
        return report

    def _leave(self, *, keep: bool = False) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        self._servers.heal()
        session.close()
        if not keep:
            shutil.rmtree(session.installation.folder, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Runs what the command line asks for; 1 if a round failed."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that all that was started ends
    state = _read(options.resume)
    first = state.get("next", 0)
    numbers = range(options.only, options.only + 1) if options.only is not None else range(first, options.rounds)
    folder = Path(options.folder or tempfile.mkdtemp(prefix="segsync-chaos-"))
    failed, started = list(state.get("failed", [])), time.monotonic()
    with Run(options.seed, folder, options.resyncs) as run:
        for number in numbers:
            report = run.round(number, options.fault)
            print(report, flush=True)  # noqa: T201 - the progress of a command
            for problem in report.problems:
                print(f"    {problem}", flush=True)  # noqa: T201
            if report.problems:
                failed.append(report.number)
                print(f"    kept in {folder}; again: --seed {options.seed} --only {report.number}", flush=True)  # noqa: T201
            _write(options.resume, {"seed": options.seed, "next": report.number + 1, "failed": failed})
            if time.monotonic() - started > options.budget:
                print(f"the budget of {options.budget:.0f} s is used up", flush=True)  # noqa: T201
                break
    took = time.monotonic() - started
    print(f"seed {options.seed}: {len(failed)} failed {failed or ''} in {took:.0f} s", flush=True)  # noqa: T201
    with contextlib.suppress(OSError):
        folder.rmdir()  # nothing was kept
    return 1 if failed else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this round alone")
    parser.add_argument("--fault", choices=sorted(faults.FAULTS), help="this fault in every round")
    parser.add_argument(
        "--resyncs", type=float, default=RESYNCS, help="share of rounds with resyncs beside their fault"
    )
    parser.add_argument("--resume", type=Path, help="a file that keeps how far a run has come")
    parser.add_argument("--budget", type=float, default=LONGEST_BUDGET, help="seconds after which no round begins")
    parser.add_argument("--folder", help="where failing rounds leave their logs")
    return parser.parse_args(arguments)


def _read(path: Path | None) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path is not None and path.exists() else {}


def _write(path: Path | None, state: dict[str, object]) -> None:
    if path is not None:
        path.write_text(json.dumps(state))
