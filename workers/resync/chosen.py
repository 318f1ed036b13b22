"""Lines that were chosen out of millions, asked for one by one: their digests lie sorted on disk, and not in memory."""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left
from contextlib import ExitStack
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from workers.resync.keys_on_disk import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

PARTS: Final = 64
"""Files that digests are spread over by their greatest bits before each is sorted: a part fits easily into memory."""
AT_ONCE: Final = 50_000
"""Digests that are held before they are written."""
_SHIFT: Final = 64 - (PARTS - 1).bit_length()
_DIGITS: Final = "Q"
"""Of an array: eight bytes each, as this host writes them; no other host reads the file."""


def digest_of(line: bytes) -> int:
    """Eight bytes of a hash, as a number: of ten million lines two are alike once in 370,000 times."""
    return int.from_bytes(blake2b(line, digest_size=8).digest())


class Chosen:
    """The lines of a file. To be used in a `with`, and no longer."""

    def __init__(self, path: Path, keep: Callable[[], None]) -> None:
        """`keep` is called now and then while the file is read for the first time; FileNotFoundError, OSError."""
        self._stack = ExitStack()
        self._digests: memoryview | None = None
        sorted_ones = path.with_name(f"{path.name}-digests")
        if not sorted_ones.exists():
            _sort(map(digest_of, read_lines(path)), sorted_ones, keep)
        file = self._stack.enter_context(sorted_ones.open("rb"))
        if sorted_ones.stat().st_size:
            mapped = self._stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            whole = self._stack.enter_context(memoryview(mapped))
            self._digests = self._stack.enter_context(whole.cast(_DIGITS))

    def __contains__(self, line: bytes) -> bool:
        if self._digests is None:
            return False
        digest = digest_of(line)
        at = bisect_left(self._digests, digest)
        return at < len(self._digests) and self._digests[at] == digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()


def _sort(digests: Iterator[int], into: Path, keep: Callable[[], None]) -> None:
    """Writes them in their order; a file of that name is whole."""
    parts = [into.with_name(f"{into.name}-{number}") for number in range(PARTS)]
    for part in parts:
        part.unlink(missing_ok=True)
    while some := list(islice(digests, AT_ONCE)):
        keep()
        _spread(some, parts)
    draft = into.with_name(f"{into.name}-coming")
    with draft.open("wb") as out:
        for part in parts:
            if part.exists():
                keep()
                array(_DIGITS, sorted(_read(part))).tofile(out)
                part.unlink()
    draft.rename(into)


def _spread(some: Iterable[int], parts: list[Path]) -> None:
    spread: list[list[int]] = [[] for _ in parts]
    for digest in some:
        spread[digest >> _SHIFT].append(digest)
    for part, digests in zip(parts, spread, strict=True):
        if digests:
            with part.open("ab") as file:
                array(_DIGITS, digests).tofile(file)


def _read(path: Path) -> array[int]:
    found = array(_DIGITS)
    found.frombytes(path.read_bytes())
    return found
