"""H2, a database in Java with modes for SQL Server and Oracle: out of Debian's packages, one process for each script.

Java is the machine's own, or Debian's package, which is fetched when it is asked for (40 MB).
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.repository import ROOT
from tests.servers import debian
from tests.servers.process import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = ROOT / ".servers"
JAR = "usr/share/java/h2.jar"
JAVA = "usr/lib/jvm/java-{}-openjdk-amd64/bin/java"
VERSIONS = ("17", "21")
"""Of Java; each release of Debian has one."""
END = "END OF ROWS"


def run(mode: str, folder: Path, statements: Iterable[str], *questions: str) -> list[list[str]]:
    """Runs statements in a database in memory, then questions of one column each; the answers, by question.

    mode  as in "MSSQLServer" or "Oracle"
    """
    script = folder / "script.sql"
    # What stands between the answers; a statement ends where a `;` stands outside of quotes.
    asked = [f"{question};\nSELECT '{END}'" for question in questions]
    script.write_text(";\n".join([*(text.rstrip().rstrip(";") for text in statements), *asked]) + ";\n")
    command = [
        *(_java(), "-Dfile.encoding=UTF-8", "-Xss256m", "-cp", str(_jar()), "org.h2.tools.RunScript"),
        *("-url", f"jdbc:h2:mem:x;MODE={mode}"),
        *("-user", "sa", "-script", str(script), "-showResults"),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise AssertionError("\n".join((done.stderr + done.stdout[-3000:]).splitlines()[-40:]))
    return _answers(done.stdout, len(questions))


def _answers(output: str, count: int) -> list[list[str]]:
    rows = [line.removeprefix("--> ") for line in output.splitlines() if line.startswith("--> ")]
    answers: list[list[str]] = [[]]
    for row in rows:
        if row == END:
            answers.append([])
        else:
            answers[-1].append(row)
    return answers[:count]


def _jar() -> Path:
    tree = FOLDER / "h2" / "tree"
    if not (tree / JAR).exists():
        debian.fetch(FOLDER / "h2", ["libh2-java"])
    return tree / JAR


def _java() -> str:
    if found := shutil.which("java"):
        return found
    for version in VERSIONS:
        program = JAVA.format(version)
        try:
            return str(
                debian.install(FOLDER / f"java{version}", [f"openjdk-{version}-jre-headless"], program) / program
            )
        except ServerError as error:
            last = error
    raise last
