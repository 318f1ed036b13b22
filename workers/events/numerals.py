"""JSON numbers that keep the digits they were written with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Numeral:
    """A JSON number with a fraction or an exponent, as its own text.

    A float would lose digits ("0.10000000000000000001") and a Decimal its spelling ("1E5").
    Integers are plain `int`, whatever their length.
    """

    text: str

    def __str__(self) -> str:
        return self.text
