"""Segments' ids as people and programs ask for them: none but what an event can name."""

from __future__ import annotations

import pytest

from workers.errors import WrongUsage
from workers.settings.segment_ids import segment_id, segment_id_if_any


@pytest.mark.parametrize("text", ["7", "-7", "vip customers/7:a*", "клиенты", "x" * 255, "я" * 127, ".."])
def test_an_id_is_taken_as_it_is(text: str) -> None:
    assert segment_id(text) == segment_id_if_any(text) == text


@pytest.mark.parametrize("text", ["", "x" * 256, "я" * 128, "x" * 100_000, "\0", "7\n", "a\x1bb", "\x85", "\ud800"])
def test_what_no_event_could_name_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"^segment '.* is no id; expected 1 to 255 bytes of UTF-8") as caught:
        segment_id(text)
    assert len(str(caught.value)) < 200
    with pytest.raises(WrongUsage):
        segment_id_if_any(text)


def test_where_only_some_may_be_asked_for_none_is_all() -> None:
    assert segment_id_if_any(None) is None
