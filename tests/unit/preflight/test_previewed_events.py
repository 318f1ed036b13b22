"""How the events of a preview are read."""

from __future__ import annotations

import pytest

from workers.preflight.preview import events_of

CLEAR = '{"type":"clear","segment":{"id":7}}'
ADD = '{"type":"add","segment":{"id":7},"profiles":[{"_id":"1","note":"a%sb"}]}'


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\u0085"])
def test_only_a_line_feed_ends_an_event(inside: str) -> None:
    """JSON takes these within a text, and Python takes them for ends of lines."""
    assert [event.kind.name for event in events_of(f"{ADD % inside}\r\n\n{CLEAR}\n", "it")] == ["ADD", "CLEAR"]
