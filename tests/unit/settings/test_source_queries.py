"""[sources.*] that are databases: what their query must name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import CONNECTOR, loaded
from workers.errors import SettingsError
from workers.settings import from_published
from workers.settings.loading import from_given

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """[sources.main]
url = "sqlite:///platform.db"
members = '''SELECT id AS _id FROM member WHERE {where}'''
"""
GOOD = "segment_id = {segment_id}"


@pytest.mark.parametrize("where", [GOOD, "md5 = '{md5(segment_id)}'", "{ segment_id } = 7"])
def test_each_segment_is_asked_for_by_its_id(tmp_path: Path, where: str) -> None:
    assert loaded(tmp_path, CONNECTOR + SOURCE.replace("{where}", where)).sources


@pytest.mark.parametrize("where", ["1 = 1", "segment_id = 7", '"segment_id}" = 7'])
def test_a_query_without_the_segment_gives_all_and_is_refused_before_it_is_applied(tmp_path: Path, where: str) -> None:
    with pytest.raises(SettingsError, match=r"sources\.main\.members: does not name \{segment_id\}; expected it"):
        loaded(tmp_path, CONNECTOR + SOURCE.replace("{where}", where))


def test_what_was_applied_before_that_was_looked_for_goes_on(tmp_path: Path) -> None:
    settings = loaded(tmp_path, CONNECTOR + SOURCE.replace("{where}", GOOD))
    published = settings.published().replace(GOOD, "1 = 1")
    assert from_published(published, settings.local).sources
    given = json.loads(published)
    del given["format"]
    with pytest.raises(SettingsError, match="does not name"):
        from_given(given, settings.local)
