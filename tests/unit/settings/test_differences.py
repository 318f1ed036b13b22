"""Two published configurations, compared key by key."""

from __future__ import annotations

import json

from workers.settings.differences import compared, differences

OLD = {"a": {"size": 10, "add": "INSERT\n(1)\n(2)\n(3)\nEND", "gone": True}}
NEW = {"a": {"size": 20, "add": "INSERT\n(1)\n(2)\n(4)\nEND", "name": "Zoë"}}


def test_values_are_shown_old_and_new() -> None:
    told = {each.path: each.lines for each in compared(json.dumps(OLD), json.dumps(NEW))}
    assert told["a.size"] == ["-10", "+20"]
    assert told["a.name"] == ['+"Zoë"']
    assert told["a.gone"] == ["-true"]


def test_a_query_is_shown_as_a_unified_diff() -> None:
    (query,) = (each for each in compared(json.dumps(OLD), json.dumps(NEW)) if each.path == "a.add")
    assert query.lines == ["@@ -2,4 +2,4 @@", " (1)", " (2)", "-(3)", "+(4)", " END"]


def test_key_paths_alone_are_in_their_order() -> None:
    assert differences(json.dumps(OLD), json.dumps(NEW)) == ["~ a.add", "- a.gone", "+ a.name", "~ a.size"]
    assert differences(json.dumps(OLD), json.dumps(OLD)) == []
