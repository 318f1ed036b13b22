"""The digest of a file without compiling it: the same that loading it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.repository import ROOT
from workers.settings import load
from workers.settings.document import digest_of_file

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
include = ["more.toml"]
[redis]
url = "redis://${HOST_OF_REDIS:-localhost}:6379/0"
[connectors.db]
url = "${DATABASE:-sqlite:////tmp/target.db}"
[query_sets.members]
add = { file = "add.sql" }
remove = "DELETE FROM m WHERE s = {segment_id} AND c = '{lead.id}'"
"""
MORE = """
[integrations.crm]
connector = "db"
key = "id"
use = "members"
name = "${NAME_OF_IT:-CRM}"
scope = { database = "main", segments = "all" }
"""


def test_the_digest_is_that_of_the_loaded_file(tmp_path: Path) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text(FILE)
    (tmp_path / "more.toml").write_text(MORE)
    (tmp_path / "add.sql").write_text("INSERT INTO m (s, c) VALUES ({segment_id}, '{lead.id}')")
    first = digest_of_file(file, {})
    assert first == load(file, {}).digest
    (tmp_path / "add.sql").write_text("INSERT INTO m (c, s) VALUES ('{lead.id}', {segment_id})")
    assert digest_of_file(file, {}) == load(file, {}).digest != first
    assert digest_of_file(file, {"NAME_OF_IT": "other"}) not in {first, load(file, {}).digest}


@pytest.mark.parametrize("name", ["segsync.toml"])
def test_the_digest_is_that_of_the_example(name: str) -> None:
    file = ROOT / "examples" / name
    environ = {"CRM_PASSWORD": "x"}
    assert digest_of_file(file, environ) == load(file, environ).digest


def test_a_file_whose_outer_form_is_wrong_has_no_digest(tmp_path: Path) -> None:
    file = tmp_path / "segsync.toml"
    file.write_text(FILE)
    assert digest_of_file(file, {}) == ""
