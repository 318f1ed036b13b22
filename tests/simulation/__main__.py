"""`python -m tests.simulation --seeds 1000`: many histories, in several processes; those that fail are shrunk."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter

from tests.simulation.histories import History, a_place, run, shrink
from tests.simulation.many import outcomes
from tests.simulation.plans import Plan, plan


def main() -> int:
    """Exit status 1 where a seed has failed."""
    options = _options()
    logging.disable(logging.CRITICAL)
    avoid = frozenset(options.avoid)
    if options.only is not None:
        return _one(plan(options.only, frozenset(options.without), avoid=avoid), options)
    begun, failed = time.monotonic(), Counter[str]()
    seeds: dict[str, list[int]] = {}
    done = 0
    for seed, wrong, kinds in outcomes(_seeds(options), options.jobs, avoid):
        done += 1
        for kind in kinds:
            failed[kind] += 1
            seeds.setdefault(kind, []).append(seed)
        if wrong and options.verbose:
            print(f"seed {seed}: {wrong[0][:300]}", flush=True)
    print(f"{done} seeds in {time.monotonic() - begun:.0f} s")
    for kind, number in failed.most_common():
        print(f"{number:5} {kind}: seeds {seeds[kind][:12]}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes at work")
    parser.add_argument("--only", type=int, help="one seed, shrunk and told line by line if it fails")
    parser.add_argument("--without", nargs="*", default=[], help="what is left out of it")
    parser.add_argument("--avoid", nargs="*", default=[], help="groups of misfortunes and kinds of incident")
    parser.add_argument("--kind", default="", help="shrink towards violations whose kind holds this text")
    parser.add_argument("--theme", default="", help="only seeds of this theme")
    parser.add_argument("--tries", type=int, default=150, help="histories that shrinking may take")
    parser.add_argument("--verbose", action="store_true", help="say each seed that fails")
    return parser.parse_args()


def _seeds(options: argparse.Namespace) -> list[int]:
    seeds = range(options.first, options.first + options.seeds)
    return [seed for seed in seeds if options.theme in ("", plan(seed).theme)]


def _one(planned: Plan, options: argparse.Namespace) -> int:
    with a_place() as place:
        history = run(planned, place)
        if history.wrong:
            history = shrink(history, place, options.tries, options.kind, lambda text: print(text, file=sys.stderr))
            history = run(history.plan, place, tracing=True)
        _tell(history)
    return 1 if history.wrong else 0


def _tell(history: History) -> None:
    print("\n".join(line for line in history.told if "redis tick -> [" not in line))
    print(f"seed {history.plan.seed}: {history.steps} steps, {history.seconds:.1f} s")
    print(f"{history.plan.settings}\n{len(history.met)} things happened:")
    print("\n".join(f"  {each}" for each in history.met))
    print("\n".join(f"WRONG {each}" for each in history.wrong) or "nothing is wrong")


if __name__ == "__main__":
    raise SystemExit(main())
