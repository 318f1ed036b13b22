"""Numbers as JSON may spell them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from workers.events.numerals import Numeral


@st.composite
def spellings(draw: st.DrawFn, whole: int, fraction: int) -> str:
    """A number of at most so many digits before and after its point, with or without an exponent."""
    sign = draw(st.sampled_from(["", "-"]))
    left = str(draw(st.integers(0, 10 ** draw(st.integers(0, whole)) - 1)))
    right = draw(st.text("0123456789", max_size=fraction))
    if draw(st.booleans()):
        return f"{sign}{left}.{right}" if right else sign + left
    digits = str(int(left + right))
    exponent = len(digits) - 1 - len(right)
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{mantissa}{draw(st.sampled_from('eE'))}{exponent}"


def spelled(text: str) -> dict[str, Any]:
    """A profile with the number as the intake reads it, and its text."""
    return {"K": "k", "N": int(text) if text.lstrip("-").isdigit() else Numeral(text), "T": text}
