"""The house is in order: what is long, named twice, without a unit, or leads to a page that is not there.

Each list of what still exceeds a bound is to shrink to nothing: a test fails, too, when something listed is mended.
"""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "rules.md"

LONGEST_FUNCTION = 40
"""Lines from `def` to the end, its docstring included."""
LONGEST_FILE = 300
"""Lines of a file of the product, in Python or Lua."""

LONG_FILES = {
    "workers/cli/app.py",
    "workers/cli/commands/preview.py",
    "workers/connectors/sql/mysql/link.py",
    "workers/connectors/sql/postgresql/link.py",
    "workers/delivery/batching.py",
    "workers/delivery/deliverer.py",
    "workers/ledger/database.py",
    "workers/monitoring/status.py",
}

LONG_FUNCTIONS = {
    "tests/acceptance/test_outages.py::test_a_minute_without_the_ledger_holds_nothing_up_and_no_count_is_missing",
    "tests/acceptance/test_visibility.py::test_failures_are_seen_and_people_are_not",
    "tests/integration/ledger/test_statistics.py::test_stats_per_integration_event_type_and_hour",
    "workers/delivery/deliverer.py::_settle",
}

NAMED_TWICE = {
    "Address",
    "Attempt",
    "Done",
    "Entry",
    "Plan",
    "Query",
    "Scope",
    "Source",
    "Step",
    "Table",
    "Target",
    "Verdict",
}

UNEXPLAINED = {
    "tasks/upkeep.py::SECONDS",
    "workers/celery.py::STATUS_OUT_OF_REACH",
    "workers/celery.py::STATUS_WRONG_FILE",
    "workers/cli/commands/apply.py::MOST_SHOWN",
    "workers/cli/commands/demo.py::LOOK_EVERY",
    "workers/cli/commands/quarantine.py::WHY_SHOWN",
    "workers/cli/exit_status.py::FINE",
    "workers/cli/exit_status.py::NEEDS_SOMEONE",
    "workers/cli/exit_status.py::OUT_OF_REACH",
    "workers/cli/exit_status.py::WRONG",
    "workers/cli/local/children.py::FIRST_PAUSE",
    "workers/cli/local/children.py::LONGEST_PAUSE",
    "workers/cli/local/children.py::LOOK_EVERY",
    "workers/cli/local/children.py::PR_SET_PDEATHSIG",
    "workers/cli/local/supervisor.py::LOOK_EVERY",
    "workers/connectors/sql/mysql/link.py::NO_SUCH_SAVEPOINT",
    "workers/connectors/sql/mysql/link.py::NO_SUCH_SESSION",
    "workers/connectors/sql/postgresql/catalog.py::OLDEST",
    "workers/control/apply.py::LOOK_EVERY",
    "workers/control/drain.py::MOST_CAUSES",
    "workers/control/pause.py::LOOK_EVERY",
    "workers/control/pause.py::SCAN_COUNT",
    "workers/delivery/compaction.py::MOST_CHUNKS",
    "workers/events/sequence.py::TEXT_LENGTH",
    "workers/ledger/ingest.py::MOST_RECORDS",
    "workers/monitoring/status.py::SAMPLE",
    "workers/monitoring/status.py::UNWANTED_SHOWN",
    "workers/preflight/samples.py::PLAIN",
    "workers/quarantine/entries.py::MOST_ATTEMPTS",
    "workers/routing/router.py::DEATHS_AT_MOST",
    "workers/routing/router.py::READ_AT_MOST",
    "workers/settings/connectors.py::MOST_PARALLEL",
    "workers/settings/files.py::DEEPEST",
    "workers/settings/files.py::LARGEST_FILE",
    "workers/settings/files.py::LARGEST_SECRET",
    "workers/settings/integrations.py::LARGEST_BATCH",
    "workers/settings/integrations.py::MOST_BACKLOG",
    "workers/settings/integrations.py::MOST_QUARANTINE",
    "workers/settings/local.py::CONNECT_TIMEOUT",
    "workers/settings/local.py::HIGHEST_DB",
    "workers/settings/local.py::RETRIES",
    "workers/templates/expressions.py::MAX_DEPTH",
    "workers/templates/expressions.py::MAX_DIGITS",
    "workers/templates/expressions.py::MAX_PARTS",
    "workers/templates/jsonpath.py::MAX_LEVELS",
    "workers/templates/jsonpath.py::MAX_STEPS",
    "workers/templates/jsonpath.py::MAX_VISITED",
    "workers/templates/parser.py::MAX_BRANCHES",
    "workers/templates/parser.py::MAX_LOOPS",
    "workers/templates/query.py::MAX_STATEMENTS",
    "workers/templates/scanner.py::MAX_LENGTH",
    "workers/templates/scanner.py::MAX_MISTAKES",
    "workers/templates/scanner.py::MAX_TAGS",
}

STALE = {
    "workers/lanes/scripts/settle.lua: workers/quarantine_room.py",
    "workers/lanes/scripts/settle.lua: workers/slots.py",
}

UNITS = ("_MS", "_US", "_S", "_SECONDS", "_DAYS", "_BYTES", "_CHARACTERS", "_PORT", "_OPERATIONS", "_TRIES")
"""Endings of a constant's name that say what it counts."""

TEXTS = frozenset({".py", ".lua", ".md", ".toml", ".yml", ".mako", ".ini", "", ".cfg"})
FOLDERS = ("workers", "tasks", "tests", "docs", "examples", "benchmarks")


@cache
def texts() -> dict[str, str]:
    """Every file of the repository that people write, by its path."""
    found = [path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")]
    for folder in FOLDERS:
        for where, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
            found += [Path(where, name) for name in names]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(found)
        if path.suffix in TEXTS and path.name != "LICENSE" and path != Path(__file__).resolve()
    }


def only_listed(found: Iterable[str], known: set[str], remedy: str) -> None:
    """Nothing is out of order but what is known of, and all of that still is."""
    new, mended = sorted(set(found) - known), sorted(known - set(found))
    told = [f"{remedy}: {each}" for each in new] + [
        f"mended, so take it off this file's list: {each}" for each in mended
    ]
    assert not told, "\n".join(told)


def of_the_product(path: str) -> bool:
    return path.startswith(("workers/", "tasks/")) and path.endswith((".py", ".lua"))


@cache
def parsed() -> dict[str, ast.Module]:
    return {path: ast.parse(text) for path, text in texts().items() if path.endswith(".py")}


def functions() -> Iterator[tuple[str, int]]:
    """Each function's name with its file, and its lines."""
    for path, module in parsed().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}::{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_no_function_is_longer_than_it_can_be_read_at_once() -> None:
    lengths: dict[str, int] = defaultdict(int)
    for name, lines in functions():
        lengths[name] = max(lengths[name], lines)
    long = {name for name, lines in lengths.items() if lines > LONGEST_FUNCTION}
    only_listed(long, LONG_FUNCTIONS, f"more than {LONGEST_FUNCTION} lines, so make several of it")


def test_no_file_of_the_product_is_longer_than_a_few_screens() -> None:
    """segsync.py aside, which is one file on purpose, to be copied."""
    lengths = {path: text.count("\n") for path, text in texts().items() if of_the_product(path)}
    long = {path for path, lines in lengths.items() if lines > LONGEST_FILE}
    only_listed(long, LONG_FILES, f"more than {LONGEST_FILE} lines, so make several of it")


def test_no_two_classes_have_one_name() -> None:
    places = defaultdict(list)
    for path, module in parsed().items():
        for node in module.body:
            if isinstance(node, ast.ClassDef) and of_the_product(path):
                places[node.name].append(path)
    twice = {name for name, where in places.items() if len(where) > 1 and not name.startswith("_")}
    only_listed(twice, NAMED_TWICE, f"two classes, so find a second name; {places}")


def is_number(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
    return False


def unexplained(path: str, module: ast.Module) -> Iterator[str]:
    """Constants of a module that are numbers, with no unit in the name, no docstring below and no comment at hand."""
    lines = texts()[path].splitlines()
    for node, below in zip(module.body, [*module.body[1:], None], strict=True):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_number(value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if is_number(value):
                pass
            case _:
                continue
        documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if not (documented or commented(lines, node.lineno - 1) or name.endswith(UNITS) or name.startswith("_")):
            yield f"{path}::{name}"


def commented(lines: list[str], at: int) -> bool:
    """Whether a comment stands in the line, or above it and its neighbours."""
    above = at
    while above > 0 and lines[above - 1] and lines[above - 1][0].isalpha():
        above -= 1
    return "#" in lines[at] or lines[above - 1].startswith("#")


def test_every_number_says_what_it_counts_and_why() -> None:
    found = {each for path, module in parsed().items() if of_the_product(path) for each in unexplained(path, module)}
    only_listed(found, UNEXPLAINED, "say in a docstring below it what it counts, and why so many")


def numbers_of_rules() -> set[str]:
    return set(re.findall(r"^\| (\d+[ab]?) \|", RULES.read_text(encoding="utf-8"), re.MULTILINE))


NUMBER = r"\d+[ab]?"
SAID = re.compile(rf"\brules?\s+({NUMBER}(?:(?:, | and | or | to |, and ){NUMBER}\b)*)(?!\w)", re.IGNORECASE)


def said(text: str) -> set[str]:
    """The rules that a text refers to: "rule 5", "rules 12, 18", "rules 1 to 6"."""
    found = set()
    for numbers in SAID.findall(text):
        found |= set(re.findall(NUMBER, numbers))
        for first, last in re.findall(r"(\d+) to (\d+)", numbers):
            found |= {str(number) for number in range(int(first), int(last))}
    return found


def test_rules_are_found_in_sentences() -> None:
    assert said("rules 1 to 3, rule 26a; Rule\n9. Rules 12, 18") == {"1", "2", "3", "26a", "9", "12", "18"}


def test_every_rule_that_is_referred_to_is_written_down() -> None:
    known = numbers_of_rules()
    unknown = {path: found for path, text in texts().items() if (found := said(text) - known)}
    assert not unknown


def rows() -> Iterator[tuple[str, str, str]]:
    """docs/rules.md: number, files, tests."""
    for line in RULES.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.fullmatch(NUMBER, cells[0]):
            assert len(cells) == 4, f"expected number, rule, files and tests in the row: {line}"
            yield cells[0], cells[2], cells[3]


def backticked(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def exists(path: str, folder: str) -> bool:
    return (ROOT / folder / path).exists() or (ROOT / path).exists()


def test_every_file_that_keeps_a_rule_is_there() -> None:
    missing = [(rule, path) for rule, files, _ in rows() for path in backticked(files) if not exists(path, "workers")]
    assert not missing
    assert all(backticked(files) for _, files, _ in rows())


def names_of_tests(path: str) -> set[str]:
    text = texts().get(f"tests/{path}") or texts().get(path) or ""
    return set(re.findall(r"^\s*(?:async )?def (test_\w+)\(", text, re.MULTILINE))


def test_every_test_of_a_rule_is_there() -> None:
    missing = []
    for rule, _, tests in rows():
        path = ""
        for each in backticked(tests):
            before, _, name = each.partition("::")
            path = before or path
            if name not in names_of_tests(path):
                missing.append((rule, path, name))
        assert path, f"rule {rule} has a row without a test"
    assert not missing


def test_every_page_that_is_named_is_there() -> None:
    missing = set()
    for path, text in texts().items():
        for page in re.findall(r"[\w./-]*\w\.md\b", text):
            places = (ROOT / page, (ROOT / path).parent / page, ROOT / "docs" / page)
            if not any(place.is_file() for place in places):
                missing.add((path, page))
    assert not missing


def test_every_file_that_is_named_with_its_room_is_there() -> None:
    missing = set()
    for path, text in texts().items():
        for named in re.findall(r"(?<![\w/.-])(?:workers|tasks|tests)/[\w/.-]+\.(?:py|lua)\b", text):
            if not (ROOT / named).is_file():
                missing.add(f"{path}: {named}")
        for named in backticked(text) if path.startswith("docs/") else ():
            if re.fullmatch(r"[\w/]+\.(?:py|lua)", named) and not any(exists(named, f) for f in ("workers", "tests")):
                missing.add(f"{path}: {named}")
    only_listed(missing, STALE, "a file that is not there is named")


OUTSIDE = re.compile(
    r"\b[Rr]eview(?:er)?s? (?:[A-D]?\d|that|said)|\((?:[A-CS]\d{1,2})\)|\b[Tt]he issue\b|\b[Ii]ssue \d|\bfirst design\b"
    r"|\b(?:DESIGN|CONTRACT)\b|\bRULES\.md|\b[Ff]indings? [A-D]\d|\b[Tt]he spec\b|\bspec:"
)


def test_nothing_leads_out_of_the_repository() -> None:
    """Reviews, issues and first designs are no pages that a reader can open."""
    leading = {path: found for path, text in texts().items() if (found := OUTSIDE.findall(text))}
    assert not leading
