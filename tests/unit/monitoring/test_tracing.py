"""A profile is sought by its `_id` or by what names its row."""

from __future__ import annotations

import pytest

from workers.monitoring.tracing import Sought

RAW = b'{"_id": "61f0", "CustomID": "A-17", "n": 7}'


@pytest.mark.parametrize(
    ("profile", "key", "found"),
    [
        ("61f0", ("CustomID",), True),
        ("A-17", ("CustomID",), True),
        ("7", ("CustomID", "n"), True),
        ("A-17", ("n",), False),
        ("61f", ("CustomID",), False),
        ("A-17", ("missing",), False),
        (None, ("CustomID",), False),
    ],
)
def test_a_profile_is_named_by_its_id_or_a_key_field(profile: str | None, key: tuple[str, ...], *, found: bool) -> None:
    assert Sought("7", profile, key).names(RAW) is found
    assert not Sought("7", profile, key).names(b"{")
