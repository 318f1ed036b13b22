"""`segsync fields` as a process: of what is applied, and of the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.place import integration

if TYPE_CHECKING:
    from tests.integration.place import Call, Place


def test_it_tells_of_what_is_applied_and_of_the_file_where_asked(place: Place, call: Call) -> None:
    place.write(integration())
    before = call("fields")
    assert (before.returncode, before.stderr) == (0, "segsync: nothing is applied yet: this is the file\n")

    place.publish(integration())
    place.write(integration(), integration("other"))
    applied, file = (json.loads(call("fields", "--json", *more).stdout) for more in ((), ("--file",)))
    assert (applied["of"], [each["key"] for each in applied["integrations"]]) == (1, ["crm"])
    assert (file["of"], [each["key"] for each in file["integrations"]]) == (None, ["crm", "other"])
    rest = {"what": "", "normalized": "", "already": False}
    assert applied["integrations"][0]["transmitted"] == [
        {"name": "id", "of": "profile", "manner": "plain", "by": ["add", "remove"]} | rest,
        {"name": "segment_id", "of": "segment", "manner": "plain", "by": ["add", "remove", "clear"]} | rest,
    ]
    assert "(revision 1)" not in before.stdout
    assert "synchronization: revision 1\n" in call("fields", "crm").stdout


def test_of_the_file_it_needs_no_redis_and_no_variable(place: Place, call: Call) -> None:
    place.write(integration())
    file = place.file.read_text().replace(place.url, "redis://127.0.0.1:1/0")
    place.file.write_text(
        file.replace('url = "sqlite:///target.db"', 'url = "mysql://u@${HOST}/d"\npassword = "${SECRET}"')
    )
    page = call("fields", "--file", "--markdown")
    assert (page.returncode, page.stderr) == (0, "")
    assert "| password | Database user's password |" in page.stdout
    assert "| id | not hashed | add, remove |" in page.stdout
    assert call("fields").returncode == 3


def test_wrong_usage_is_a_message_and_status_2(place: Place, call: Call) -> None:
    place.publish(integration())
    for arguments, message in (
        (("crn",), "no integration 'crn' in revision 1; did you mean 'crm'?"),
        (("--json", "--markdown"), "exclude each other"),
    ):
        done = call("fields", *arguments)
        assert (done.returncode, done.stderr.startswith("segsync: "), message in done.stderr) == (2, True, True), done
