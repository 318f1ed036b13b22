"""What there is, is told, and what is told, is there: options, log lines, topics of alerts, codes of the quarantine."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from tests.repository import parsed, texts
from tests.unit.events.table import ROWS, Verdict
from workers.cli.app import app
from workers.connectors.audiences.writing import NO_IDENTIFIER
from workers.delivery.failures import ALREADY_THERE
from workers.errors import MalformedEvent
from workers.events.parsing import parse
from workers.log import LINES
from workers.monitoring.alarms import UNREACHABLE
from workers.monitoring.metrics import STATES
from workers.routing.refusals import POISON
from workers.templates.model import BAD_KEY, BAD_VALUE, MISSING_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYWHERE = {"--help", "-h", "--config"}
"""Options of every command."""


def pages() -> dict[str, str]:
    """What users read; the rules are for whoever changes the code."""
    return {path: text for path, text in texts().items() if path.endswith(".md") and path != "docs/rules.md"}


def rows(page: str, heading: str) -> list[list[str]]:
    """The first table behind a heading: its cells, without the names of its columns."""
    lines = page.partition(f"\n{heading}\n")[2].splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("|"))
    found = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def backticked(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# --- Options -----------------------------------------------------------------------------------------------------


def options() -> dict[str, set[str]]:
    """The options of each command, by its name: "quarantine list"."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, path: list[str]) -> None:
        own = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        found[" ".join(path)] = {option for option in own if option.startswith("-")}
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*path, name])

    walk(get_command(app), [])
    return found


def test_every_option_is_told_in_a_page() -> None:
    every = "\n".join(pages().values())
    wanted = {(command, option) for command, own in options().items() for option in own - EVERYWHERE}
    assert len(wanted) > 100
    assert {each for each in wanted if each[1].startswith("--") and each[1] not in every} == {("", "--show-completion")}


def shown(page: str) -> Iterator[list[str]]:
    """The words of each command of segsync in a page's code: in backticks, after a prompt, and in blocks of shell."""
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`(segsync [^`]*)`", page)
    for line in lines:
        for command in re.split(r"[|;]|&&", line.partition(" # ")[0]):
            if found := re.match(r"\s*(?:\$ )?(?:\S*/)?segsync (.+)", command):
                yield found[1].split()


def test_every_option_that_a_page_shows_is_one() -> None:
    known, unknown, many = options(), set(), 0
    for path, page in pages().items():
        for words in shown(page):
            name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), "")
            taken = known[name] | known[name.partition(" ")[0]] | known[""] | EVERYWHERE
            given = {word.partition("=")[0].rstrip(",.)") for word in words if re.match(r"--?[a-z]", word)}
            many += len(given)
            unknown |= {f"{path}: segsync {name} {option}" for option in given - taken}
    assert many > 50
    assert unknown == set()


def test_every_variable_of_the_compose_file_is_told() -> None:
    every = "\n".join(pages().values())
    asked = set(re.findall(r"\$\{([A-Z_]+)", texts()["docker-compose.yml"]))
    assert len(asked) > 5
    assert {name for name in asked if f"`{name}" not in every} == set()


# --- Log lines, topics, states -----------------------------------------------------------------------------------


def test_the_page_of_the_log_has_every_line_and_no_other() -> None:
    import logging  # noqa: PLC0415 - for the names of its levels alone

    told = re.findall(r"^\| `(\w+)` \| (\w+) \|", texts()["docs/logs.md"], re.MULTILINE)
    assert dict(told) == {name: logging.getLevelName(line.level).lower() for name, line in LINES.items()}
    assert len(told) == len(LINES)


def topics() -> set[str]:
    """Of what needs someone, as the code writes them; what is filled in is a star."""
    found = {UNREACHABLE}
    for path, module in parsed().items():
        if not path.startswith("workers/monitoring/"):
            continue
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name(id="Need"), args=[ast.Constant(value=str(topic)), *_]):
                    found.add(topic)
                case ast.Call(func=ast.Name(id="Need"), args=[ast.JoinedStr(values=parts), *_]):
                    found.add("".join(str(each.value) if isinstance(each, ast.Constant) else "*" for each in parts))
    return found


def test_the_page_has_every_topic_of_alerts_and_no_other() -> None:
    table = rows(texts()["docs/operations.md"], "## Who is told: `segsync alerts`")
    told = {re.sub(r"\bC on W\b|\b[KC]\b|…", "*", topic) for cells in table for topic in backticked(cells[0])}
    assert told == topics()


def test_the_page_has_every_state_and_no_other() -> None:
    page = texts()["docs/operations.md"].partition("| state of an integration | means |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| (\w+) \|", page, re.MULTILINE)) == set(STATES)


# --- Codes of the quarantine -------------------------------------------------------------------------------------


def codes_of_events() -> set[str]:
    found = set()
    for row in ROWS:
        if row.verdict is Verdict.GOOD:
            continue
        try:
            found |= {bad.code for bad in parse(row.data).bad}
        except MalformedEvent as error:
            found.add(str(error).partition(":")[0])
    return found


def test_the_page_has_every_code_of_our_own() -> None:
    table = rows(texts()["docs/quarantine.md"], "## What its codes mean")
    told = {code for cells in table for code in backticked(cells[0])}
    ours = {MISSING_KEY, BAD_KEY, BAD_VALUE, NO_IDENTIFIER, POISON, ALREADY_THERE}
    assert len(codes_of_events()) > 5
    assert codes_of_events() | ours <= told
