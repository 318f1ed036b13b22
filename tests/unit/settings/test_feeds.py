"""[sources.*] that are no database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import CONNECTOR, loaded
from workers.errors import SettingsError
from workers.settings import from_published
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from pathlib import Path

URL = 'url = "https://${HOST:-p.example}/{segment_id}?after={after}&limit={limit}"\nfirst = 0\n'
HEADERS = 'headers = { Authorization = "Bearer ${TOKEN}" }\n'


def source(text: str) -> str:
    return f"{CONNECTOR}[sources.main]\n{text}"


def test_an_address(tmp_path: Path) -> None:
    settings = loaded(tmp_path, source(URL + HEADERS + 'rows = 10\ndelay = "0s"\ntimeout = "5s"\n'))
    found = settings.sources["main"]
    assert isinstance(found, FeedSettings)
    assert (found.first, found.rows, found.delay, found.timeout) == (0, 10, 0.0, 5.0)
    # What is published holds no secret, and means the same where it is read.
    assert "${TOKEN}" in json.loads(settings.published())["sources"]["main"]["headers"]["Authorization"]
    assert from_published(settings.published(), settings.local).sources["main"] == found


def test_a_command(tmp_path: Path) -> None:
    found = loaded(tmp_path, source('command = ["/bin/m", "-s", "{segment_id}", "-s", "x"]\n')).sources["main"]
    assert isinstance(found, FeedSettings)
    assert found.command == ("/bin/m", "-s", "{segment_id}", "-s", "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url = "https://p/x"\n', "sources.main.url: does not name {segment_id}"),
        ('url = "https://p/{segment_id}?a={after}"\nfirst = 0\n', "has only one of {after} and {limit}"),
        ('url = "https://p/{segment_id}?a={after}&l={limit}"\n', "sources.main.first: is missing"),
        ('url = "https://p/{segment_id}"\nfirst = 0\n', "means nothing without `{after}`"),
        ('url = "https://p/{segment}"\n', "names '{segment}'; expected {segment_id}, {after}, {limit}"),
        ('url = "http://p/{segment_id}"\n' + HEADERS, "headers: would go in clear text"),
        ('url = "http://localhost.evil/{segment_id}"\n' + HEADERS, "headers: would go in clear text"),
        ('command = ["m", "{segment_id}"]\n', "'m' is no absolute path"),
        ('command = "/bin/m {segment_id}"\n', "command: expected a list of texts"),
        ('command = ["/bin/m"]\n', "sources.main.command: does not name {segment_id}"),
        ('url = "https://p/{segment_id}"\ncommand = ["/bin/m"]\n', "expected either url or command, not both"),
        ('url = "https://p/{segment_id}"\nmembers = "SELECT 1"\n', "members: unknown key"),
        ('url = "https://p/{segment_id}"\nheaders = { "a b" = "x" }\n', "is no header's name"),
        (
            'url = "https://p/{segment_id}"\nsegments = "https://q/all"\n',
            "segments: is at another scheme, host or port",
        ),
        ('url = "https://p/{segment_id}"\nsegments = "/all"\n', "segments: is at another scheme, host or port"),
        ('url = "https://p/{segment_id}"\nsegments = "https://p/{after}"\n', "segments: names '{after}'; expected no"),
        ('url = "https://p/{segment_id}"\nsegments = ["/bin/m"]\n', "sources.main.segments: "),
        ('command = ["/bin/m", "{segment_id}"]\nsegments = ["m"]\n', "segments[0]: 'm' is no absolute path"),
        ('command = ["/bin/m", "{segment_id}"]\nsegments = "/bin/m"\n', "segments: expected a list of texts"),
        (
            'url = "https://p/{segment_id}"\nreaders = 0\n',
            "readers: 0 is out of range; expected an integer from 1 to 8",
        ),
    ],
)
def test_what_is_wrong_with_a_feed_is_said_with_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, source(text))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "header",
    [
        'Authorization = "Bearer plain-word"',
        'authorization = "plain-word"',
        'X-Api-Key = "plain-word"',
        'X-Key = "${KEY:-plain-word}"',
        'Cookie = "session=plain-word"',
        'X-Other = "Basic plain-word"',
    ],
)
def test_a_secret_in_a_header_comes_from_a_variable(tmp_path: Path, header: str) -> None:
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, source(URL + f"headers = {{ {header} }}\n"))
    told = str(raised.value)
    assert f"sources.main.headers.{header.partition(' ')[0]}: stands in the file, which is published in Redis" in told
    assert "expected its secret in a variable without a default" in told
    assert "plain-word" not in told


def test_what_a_header_says_beside_is_written_as_it_is_and_what_was_applied_is_read(tmp_path: Path) -> None:
    settings = loaded(tmp_path, source(URL + 'headers = { Accept = "application/json", Tenant = "one" }\n'))
    older = settings.published().replace('"Tenant":"one"', '"Token":"one"')
    found = from_published(older, settings.local).sources["main"]
    assert isinstance(found, FeedSettings)
    assert found.headers["Token"] == "one"


def test_a_list_of_segments(tmp_path: Path) -> None:
    """At the place of the members, with the same headers; or a program of its own."""
    text = URL + HEADERS + 'segments = "https://${HOST:-p.example}/all?key=${KEY}"\nreaders = 3\n'
    settings = loaded(tmp_path, source(text))
    assert "${KEY}" in settings.published(), "variables are filled in by who asks"
    missing = [str(each) for each in settings.check_secrets({"TOKEN": "t"})]
    assert missing == ["sources.main.segments: the environment variable KEY is not set"]
    found = settings.sources["main"]
    assert isinstance(found, FeedSettings)
    asked = found.listing.resolve({"TOKEN": "t", "KEY": "k"})
    assert (asked.url, asked.headers, asked.first) == (
        "https://p.example/all?key=k",
        {"Authorization": "Bearer t"},
        None,
    )
    assert (found.readers, found.url) == (3, "https://${HOST:-p.example}/{segment_id}?after={after}&limit={limit}")
    with pytest.raises(SettingsError, match=r"sources\.main\.segments"):
        found.listing.resolve({"TOKEN": "t"})

    found = loaded(tmp_path, source('command = ["/bin/m", "{segment_id}"]\nsegments = ["/bin/s", "-a"]\n')).sources[
        "main"
    ]
    assert isinstance(found, FeedSettings)
    assert found.listing.command == ("/bin/s", "-a")


def test_headers_to_this_very_host_need_no_tls(tmp_path: Path) -> None:
    assert loaded(tmp_path, source('url = "http://127.0.0.1:8080/{segment_id}"\n' + HEADERS)).sources
