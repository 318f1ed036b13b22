"""The keys of a source and of a target, compared on disk: ten million of them fit into no process (rule 46).

Keys are spread over files by a hash, so that what is alike meets in files of one number, and each pair of files is
compared by itself. One key is one line: its parts as JSON.
"""

from __future__ import annotations

import json
import secrets
import shutil
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from workers.delivery.key_folding import fold_key_far

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from workers.delivery.key_folding import Key

FILES = 64
"""Files of each side: of ten million keys each has as many as fit easily into memory."""
BUFFERED = 100_000
"""Lines that are held before they are written: some megabytes. With fewer, opening the files took a sixth of a plan."""
AT_ONCE = 10_000
"""Lines that are taken together; members that are folded between two words that this goes on: a tenth of a second."""
MOST_SHOWN = 20
"""Keys that are kept of each difference, to be shown."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[str, ...]).decode


class KeyFiles:
    """One side's keys, in a folder that has none of it yet.

    Few stay in memory: to make 64 files takes longer than all else that a small segment's run does.

    count  keys added
    """

    def __init__(self, folder: Path, side: str) -> None:
        self._folder, self._side = folder, side
        self._waiting: list[list[bytes]] = [[] for _ in range(FILES)]
        self._held = 0
        self._written: set[int] = set()
        self.count = 0
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, number: int) -> Path:
        """One file of it."""
        return self._folder / f"{self._side}-{number}"

    def add(self, keys: Collection[Key]) -> None:
        """Some more keys."""
        waiting, crc32, encode = self._waiting, zlib.crc32, _encode
        for key in keys:
            line = encode(key)
            waiting[crc32(line) % FILES].append(line + b"\n")
        self._count(len(keys))

    def put(self, spread: int, line: bytes) -> None:
        """One more line, with its end; those of one `spread` meet in one file."""
        self._waiting[spread % FILES].append(line)
        self._count(1)

    def _count(self, many: int) -> None:
        self.count += many
        self._held += many
        if self._held >= BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Writes what is held."""
        for number, lines in enumerate(self._waiting):
            if lines:
                self._written.add(number)
                with self.path(number).open("ab") as file:
                    file.write(b"".join(lines))
                lines.clear()
        self._held = 0

    def repeats(self) -> bool:
        """Whether a key was added twice."""
        return any(many > len(lines) for lines, many in map(self.distinct, range(FILES)))

    def has(self, number: int) -> bool:
        """Whether there are keys of a number."""
        return bool(self._waiting[number]) or number in self._written

    def lines(self, number: int) -> Iterator[bytes]:
        """The keys of one number, as their lines, with their ends: those in its file, and those that are still held.

        One by one: where a query gives one key a million times, all of them are in one file. FileNotFoundError where
        somebody has removed what was written: that is no empty file.
        """
        if number in self._written:
            with self.path(number).open("rb") as file:
                yield from file
        yield from self._waiting[number]

    def distinct(self, number: int) -> tuple[set[bytes], int]:
        """The lines of one number, each once, and how many there are."""
        found: set[bytes] = set()
        lines, many = self.lines(number), 0
        while some := list(islice(lines, AT_ONCE)):
            many += len(some)
            found.update(some)
        return found, many


@dataclass(slots=True)
class KeyDifference:
    """What distinguishes a target from its source.

    members, rows  keys of the source, and rows of the target
    missing        members that the target does not have
    strays         rows that are no member's: each a line of the file `strays`
    spelled        rows that are a member's, spelled otherwise: they stay
    folded         members that have a row which is spelled otherwise, as the target says: neither side lacks anything
    repeated       rows whose key the target has more than once
    repeated_strays  of these, those whose key is no member's, spelled otherwise or not: they go with the strays
    lacking        fields that members should have and cannot, for want of a column
    shown          some keys of each, as they are shown
    """

    folder: Path
    members: int = 0
    rows: int = 0
    missing: int = 0
    strays: int = 0
    spelled: int = 0
    folded: int = 0
    repeated: int = 0
    repeated_strays: int = 0
    lacking: list[str] = field(default_factory=list)
    shown: dict[str, list[str]] = field(default_factory=dict)

    @property
    def stray_rows(self) -> int:
        """Rows that go with the strays, at the most: a table without a unique key may have many for each."""
        return self.strays + self.repeated_strays

    @property
    def strays_file(self) -> Path:
        """One stray's key a line."""
        return self.folder / "strays"

    @property
    def missing_file(self) -> Path:
        """One missing member's key a line."""
        return self.folder / "missing"

    @property
    def spelled_file(self) -> Path:
        """One row's key a line, of those that are spelled otherwise."""
        return self.folder / "spelled"

    def show(self, what: str, line: bytes) -> None:
        """Keeps a key to be shown, if there is room."""
        found = self.shown.setdefault(what, [])
        if len(found) < MOST_SHOWN:
            found.append(", ".join(_decode(line)))


def line_of(key: Key) -> bytes:
    """A key as a line has it, without the line's end."""
    return _encode(key)


def read_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, without their ends."""
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


def compare(source: KeyFiles, target: KeyFiles, folder: Path, keep: Callable[[], None] = lambda: None) -> KeyDifference:
    """What differs. Keys that are one however far they are folded are one: a row that a member may be stays.

    keep  called now and then: says that this goes on, or raises where it must not
    """
    found = KeyDifference(folder, rows=target.count)
    unmatched = KeyFiles(folder, "unmatched")
    with found.missing_file.open("wb") as missing:
        for number in range(FILES):
            keep()
            members, (distinct, many) = set(source.lines(number)), target.distinct(number)
            found.members += len(members)
            found.repeated += many - len(distinct)
            others = sorted(distinct - members)
            for line in others:
                unmatched.put(_fold(line), line)
            if many > len(distinct):
                found.repeated_strays += sum(line not in members for line in target.lines(number)) - len(others)
            for line in sorted(members - distinct):
                missing.write(line)
                found.missing += 1
                found.show("missing", line)
    _sort_out(found, source, unmatched, keep)
    return found


def _in_doubt(found: KeyDifference, source: KeyFiles) -> Iterator[bytes]:
    """Members whose row one may be that is spelled otherwise.

    Who has a row of the very same key has one beside it, so the target tells the two apart; or it does not and takes
    rows twice, and then that member goes with the other row and is told again. Only where a key is there twice nobody
    is told again who has a row.
    """
    if not found.repeated:
        yield from read_lines(found.missing_file)
        return
    for number in range(FILES):
        yield from source.lines(number)


def _folds_beside(found: KeyDifference, source: KeyFiles, unmatched: KeyFiles, keep: Callable[[], None]) -> KeyFiles:
    """Folds of members in doubt, spread as the rows that no member is: those of files in which there is such a row."""
    folds = KeyFiles(found.folder, "folds")
    wanted = {number for number in range(FILES) if unmatched.has(number)}
    lines = _in_doubt(found, source) if wanted else iter(())
    for number, line in enumerate(lines):
        if number % AT_ONCE == 0:
            keep()
        fold = _fold(line)
        if fold % FILES in wanted:
            folds.put(fold, b"%x\n" % fold)
    return folds


def _sort_out(found: KeyDifference, source: KeyFiles, unmatched: KeyFiles, keep: Callable[[], None]) -> None:
    """Strays, and rows that a member may be."""
    folds = _folds_beside(found, source, unmatched, keep)
    with found.strays_file.open("wb") as strays, found.spelled_file.open("wb") as spelled:
        for number in range(FILES):
            keep()
            known = set(folds.lines(number))
            for line in unmatched.lines(number):
                if b"%x\n" % _fold(line) in known:
                    found.spelled += 1
                    spelled.write(line)
                    found.show("spelled", line)
                else:
                    found.strays += 1
                    strays.write(line)
                    found.show("strays", line)


def _fold(line: bytes) -> int:
    folded = json.dumps(fold_key_far(_decode(line))).encode()
    return int.from_bytes(blake2b(folded, digest_size=8).digest())


def sign(folder: Path, first: str) -> str:
    """Says whose files these are: of the run whose first mark this is, and of no other reading. Gives their token."""
    token = secrets.token_hex(8)
    (folder / "token").write_text(f"{first} {token}")
    return token


def token_of(folder: Path, first: str) -> str:
    """The token of the files in a folder; "" where there are none, or an earlier plan has left them."""
    try:
        of, _, token = (folder / "token").read_text().partition(" ")
    except OSError:
        return ""
    return token if of == first else ""


def draft_of(folder: Path) -> Path:
    """Where one reading of a run is kept until it is whole: no other reading, of whatever process, has its name."""
    return folder.with_name(f"{folder.name}.{secrets.token_hex(8)}")


def adopt(draft: Path, folder: Path) -> None:
    """Makes a whole reading the run's own, in place of an earlier one. OSError."""
    remove(folder)
    draft.rename(folder)


def remove_drafts(folder: Path) -> None:
    """Removes what readings of a run have left that came to no end."""
    for draft in folder.parent.glob(f"{folder.name}.*"):
        remove(draft)


def remove(folder: Path) -> None:
    """Removes what a run has kept; whatever cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
