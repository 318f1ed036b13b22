"""What is referred to is there: rules, files, tests, pages and commands, in code and in docs alike."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.repository import ROOT, only_listed, texts
from workers.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = ROOT / "docs" / "rules.md"
COMING: set[str] = set()
"""Pages that are named before they are written."""
SELF = "tests/unit/test_references.py"
"""It spells what nothing else may."""

STALE: set[str] = set()


def elsewhere() -> dict[str, str]:
    return {path: text for path, text in texts().items() if path != SELF}


def pages() -> dict[str, str]:
    return {path: text for path, text in texts().items() if path.endswith(".md")}


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
    for path, text in elsewhere().items():
        for page in set(re.findall(r"[\w./-]*\w\.md\b", text)) if ".md" in text else ():
            places = (ROOT / page, (ROOT / path).parent / page, ROOT / "docs" / page)
            if not any(place.is_file() for place in places):
                missing.add(f"{path}: {page}")
    only_listed(missing, COMING, "a page that is not there is named")


def test_every_file_that_is_named_with_its_room_is_there() -> None:
    missing = set()
    for path, text in elsewhere().items():
        for named in re.findall(r"(?<![\w/.-])(?:workers|tasks|tests)/[\w/.-]+\.(?:py|lua)\b", text):
            if not (ROOT / named).is_file():
                missing.add(f"{path}: {named}")
        for named in backticked(text) if path.startswith("docs/") else ():
            if re.fullmatch(r"[\w/]+\.(?:py|lua)", named) and not any(exists(named, f) for f in ("workers", "tests")):
                missing.add(f"{path}: {named}")
    only_listed(missing, STALE, "a file that is not there is named")


OUTSIDE = re.compile(
    r"\b[Rr]eview(?:er)?s? (?:[A-D]?\d|that|said)|\((?:[A-CS]\d{1,2})\)|\b[Tt]he issue\b|\b[Ii]ssue \d|\bfirst design\b"
    r"|(?<![\w.~-])/(?:work|root|home/\w+)/|\bpypi\.org|\bpythonhosted\.org"
    r"|\b(?:DESIGN|CONTRACT)\b|\bRULES\.md|\b[Ff]indings? [A-D]\d|\b[Tt]he spec\b|\bspec:"
)

MAYBE = re.compile(
    r"[Rr]eview(?:er)?s? [A-D\dts]|\([A-CS]\d|[Tt]he issue|[Ii]ssue \d|first design|/(?:work|root|home)/|pypi\.org"
    r"|pythonhosted|DESIGN|CONTRACT|RULES|[Ff]indings? [A-D]|[Tt]he spec|spec:"
)
"""What all of that holds: where it begins with a letter and nothing before it, it is found ten times as fast."""


def test_nothing_leads_out_of_the_repository() -> None:
    """Reviews, issues, first designs and paths of somebody's machine are nothing that a reader can open."""
    leading = {}
    for path, text in elsewhere().items():
        if MAYBE.search(text) and (found := OUTSIDE.findall(text)):
            leading[path] = found
    assert not leading


@pytest.mark.parametrize(
    "text",
    [
        *("Review 4", "reviewers said", "reviews that", "(C12)", "the issue", "Issue 8", "first design"),
        *(
            *(f"/{place}/x" for place in ("work", "root", "home/ann")),
            "see pypi.org",
            "pythonhosted.org",
            "DESIGN",
            "CONTRACT",
            "RULES.md",
        ),
        *("Findings B2", "finding A1", "The spec", "spec: 4"),
    ],
)
def test_what_leads_out_is_found(text: str) -> None:
    assert OUTSIDE.search(f"as {text} has it")
    assert MAYBE.search(text)


def test_every_link_of_a_page_leads_to_a_page_and_a_heading() -> None:
    broken = set()
    for path, text in texts().items():
        for target, anchor in re.findall(
            r"\]\((?!https?:)([\w./-]*)(?:#([\w-]+))?\)", text if path.endswith(".md") else ""
        ):
            page = (ROOT / path).parent / target if target else ROOT / path
            if not page.exists() or (anchor and anchor not in headings(page.read_text(encoding="utf-8"))):
                broken.add((path, target, anchor))
    assert not broken


def headings(page: str) -> set[str]:
    """Anchors as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in found}


def test_every_command_that_a_page_shows_is_one() -> None:
    known = {info.name or str(info.callback.__name__) for info in app.registered_commands if info.callback} | {
        "quarantine",
        "console",
        "config",
    }
    shown = {path: commands(text) for path, text in texts().items() if path.endswith(".md")}
    assert shown["README.md"] >= {"demo", "push", "check", "apply", "up", "drain"}
    assert not {path: unknown for path, names in shown.items() if (unknown := names - known)}


def commands(page: str) -> set[str]:
    """The commands of segsync in a page's code: in backticks, after a prompt, and in blocks of shell."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    return set(re.findall(r"(?:`|^\$ )segsync ([a-z]+)", page, re.MULTILINE)) | set(
        re.findall(r"^segsync ([a-z]+)", blocks, re.MULTILINE)
    )


def test_the_page_shows_the_floors_that_imports_are_held_to() -> None:
    contracts = tomllib.loads(texts()["pyproject.toml"])["tool"]["importlinter"]["contracts"]
    (floors,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert "```\n" + "\n".join(floors) + "\n```" in texts()["docs/architecture.md"]


def test_the_page_shows_every_room() -> None:
    shown = texts()["docs/architecture.md"].partition("## The rooms")[2].partition("## ")[0]
    rooms = {path.split("/")[1] for path in texts() if path.startswith("workers/")} - {"__init__.py"}
    assert {room for room in rooms if not re.search(rf"\b{re.escape(room)}\b", shown)} == set()
