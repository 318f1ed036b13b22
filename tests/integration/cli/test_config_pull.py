"""`segsync config pull`: what is applied goes back into the files, and nothing else of them changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from workers.settings import from_published, load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Call, Place

MORE = """
# what all of ours have in common
[query_sets.shared]
remove = "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = '{lead.id}'"   # by key
clear = "DELETE FROM member WHERE segment_id = {segment_id}"
"""
INCLUDED = """# of the shop
[integrations.shop]
connector = "db"                # the only one
description = "${WHOSE:-ours} for $$5"
scope = { database = "main", segments = [7] }
use = "shared"
[integrations.shop.queries]
add = { file = "add.sql" }
"""
ADD = "INSERT OR REPLACE INTO member VALUES ('{segment_id}', '{lead.id}')\n"


@pytest.fixture
def files(place: Place, call: Call) -> Place:
    """A main file, one that it includes, and a query in a file of its own; applied."""
    place.write(integration())
    text = place.file.read_text().replace("\n[redis]", '\ninclude = ["more/*.toml"]\n[redis]', 1)
    place.file.write_text(text + MORE)
    (place.folder / "more").mkdir()
    (place.folder / "more" / "shop.toml").write_text(INCLUDED)
    (place.folder / "more" / "add.sql").write_text(ADD)
    assert call("apply").returncode == 0
    return place


def edit(place: Place, change: Callable[[dict[str, Any]], None]) -> None:
    """Applies something else than the file, as the console does."""
    applied = revision.published(place.redis, place.keys)
    assert applied is not None
    document = json.loads(applied.text)
    change(document)
    settings = from_published(json.dumps(document), load(place.file).local)
    revision.publish(place.redis, place.keys, settings, note="console", by="ann")


def all_texts(place: Place) -> dict[str, str]:
    return {path.name: path.read_text() for path in place.folder.glob("**/*.*") if path.suffix in (".toml", ".sql")}


def test_only_what_differs_changes(files: Place, call: Call) -> None:
    before = all_texts(files)

    def change(document: dict[str, Any]) -> None:
        crm, shop = document["integrations"]["crm"], document["integrations"]["shop"]
        crm["batch"]["size"] = 20
        crm["queries"]["clear"] = "DELETE FROM member\nWHERE segment_id = {segment_id}"
        shop["queries"]["add"] = ADD.replace("{lead.id}", "{lead.other}")
        shop["scope"]["segments"] = ["8", "9"]

    edit(files, change)
    said = call("config", "pull")

    assert said.returncode == 0, said.stderr
    assert "size" in said.stdout
    after = all_texts(files)
    one_line = "clear = \"DELETE FROM member WHERE segment_id = '{segment_id}'\""
    lines = "clear = '''\nDELETE FROM member\nWHERE segment_id = {segment_id}'''"
    assert after["segsync.toml"] == before["segsync.toml"].replace("size = 10", "size = 20").replace(one_line, lines)
    assert after["shop.toml"] == before["shop.toml"].replace("segments = [7]", 'segments = ["8", "9"]')
    assert after["add.sql"] == ADD.replace("{lead.id}", "{lead.other}")
    assert call("diff").returncode == 0
    assert "is what is applied" in call("config", "pull").stdout


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["integrations"].pop("shop"), id="one that is gone"),
        pytest.param(lambda d: d["integrations"].update(new=d["integrations"]["shop"]), id="one that is new"),
        pytest.param(lambda d: d["integrations"]["shop"]["queries"].pop("clear"), id="a query of a set that is gone"),
        pytest.param(
            lambda d: d["integrations"]["shop"]["queries"].update(clear="DELETE FROM member"), id="one of a set"
        ),
        pytest.param(lambda d: d["integrations"]["shop"].update(description="$$ ${X} $y"), id="dollars"),
        pytest.param(lambda d: d["integrations"]["shop"].update(description="\"'''\\\n\x1b"), id="quotes"),
        pytest.param(lambda d: d["connectors"]["db"].update(url="sqlite:///${OTHER:-o$$x}.db"), id="a secret's place"),
        pytest.param(lambda d: d["ledger"].update(url="sqlite:///other.db"), id="the ledger"),
        pytest.param(lambda d: d.update(intake={"max": 5}), id="a table of the main file"),
        pytest.param(lambda d: d["integrations"]["crm"]["batch"].pop("timeout"), id="a key that is gone"),
    ],
)
def test_whatever_is_applied_the_files_mean_it_afterwards(files: Place, call: Call, change: Any) -> None:
    edit(files, change)
    said = call("config", "pull")
    assert said.returncode == 0, said.stderr
    assert call("diff").returncode == 0
    assert "# of the shop" in all_texts(files)["shop.toml"]
    assert "# what all of ours have in common" in all_texts(files)["segsync.toml"]


def test_what_was_changed_in_the_file_meanwhile_is_not_overwritten(files: Place, call: Call) -> None:
    edit(files, lambda d: d["integrations"]["crm"]["batch"].update(size=20))
    mine = files.file.read_text().replace("[integrations.crm]", "[integrations.crm]\nmax_backlog = 7")
    files.file.write_text(mine)
    said = call("config", "pull")
    assert said.returncode == 1
    assert "has changes that were never applied" in said.stderr
    assert files.file.read_text() == mine
    assert call("config", "pull", "--force", "--dry-run").returncode == 0
    assert files.file.read_text() == mine
    assert call("config", "pull", "--force").returncode == 0
    assert "max_backlog" not in files.file.read_text()
    assert call("diff").returncode == 0


def test_files_that_cannot_say_it_stay_as_they_are(files: Place, call: Call) -> None:
    """One file holds the query of two, under two names, and only one of them has changed."""
    twin = INCLUDED.replace("shop", "twin").replace('"add.sql"', '"./add.sql"').replace("# of the twin", "")
    (files.folder / "more" / "twin.toml").write_text(twin)
    assert call("apply").returncode == 0
    before = all_texts(files)
    edit(files, lambda d: d["integrations"]["shop"]["queries"].update(add=ADD.replace("lead.id", "lead.other")))
    said = call("config", "pull")
    assert said.returncode == 1
    assert "~ integrations.twin.queries.add would still differ; nothing was written" in said.stderr
    assert all_texts(files) == before


def test_that_the_file_is_behind_is_said(files: Place, call: Call) -> None:
    assert "the file is behind" not in call("check").stdout
    edit(files, lambda d: d["integrations"]["crm"]["batch"].update(size=20))
    late = "the file is behind: it is as revision 1 was, and 2, console, by ann at "
    for command in (("check",), ("apply", "--dry-run")):
        said = call(*command)
        assert late in " ".join((said.stdout + said.stderr).split()), command
    status = files.run("status", "--json")
    assert any(note.startswith(late) for note in json.loads(status.stdout)["notes"])
    call("config", "pull")
    assert "the file is behind" not in call("check").stdout
    assert call("apply").stdout.strip().endswith("no change")


def test_files_are_replaced_as_a_whole_and_keep_their_mode(
    files: Place, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(files, lambda d: d["integrations"]["crm"]["batch"].update(size=20))
    before = all_texts(files)
    files.file.chmod(0o640)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        refused = call("config", "pull")
    assert refused.returncode == 1
    assert f"{files.file}: No space left on device" in refused.stderr
    assert all_texts(files) == before
    assert not [path for path in files.folder.iterdir() if path.name.startswith(".segsync")]
    assert call("config", "pull").returncode == 0
    assert files.file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("header", ["", "[integrations]\n"])
def test_the_last_integration_that_is_gone_leaves_the_file(place: Place, call: Call, header: str) -> None:
    place.write(integration())
    place.file.write_text(place.file.read_text().replace("[integrations.", f"{header}[integrations.", 1))
    assert call("apply").returncode == 0
    edit(place, lambda document: document.pop("integrations"))
    said = call("config", "pull")
    assert said.returncode == 0, said.stderr
    assert "integrations" not in place.file.read_text()
    assert call("diff").returncode == 0
