"""The console in a real browser, against a live installation: what somebody does who has never seen segsync."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from segsync import Producer
from tests.leftovers import wait_until_gone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.fetched, pytest.mark.timeout(900)]
WIDTHS, THEMES = (360, 800, 1400), ("light", "dark")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
FILE = """
namespace = "{namespace}"
[ledger]
url = "sqlite:///ledger.db"
[connectors.shop]
url = "sqlite:///shop.db"
[sources.main]
url = "sqlite:///shop.db"
delay = "0s"
members = "SELECT id AS _id, custom_id AS CustomID FROM membership WHERE segment_id = {{segment_id}}"
"""
TABLES = """
CREATE TABLE segment_member (
    segment_id INTEGER, client_id TEXT, updated TEXT, PRIMARY KEY (segment_id, client_id)
);
CREATE TABLE segment (segment_id INTEGER PRIMARY KEY, name TEXT, updated TEXT);
CREATE TABLE membership (segment_id INTEGER, id INTEGER, custom_id TEXT);
"""
PATHS = (
    "/",
    "/create?connector=shop",
    "/integrations/vip",
    "/integrations/vip/edit",
    "/integrations/vip/resync",
    "/segments",
    "/segment?id=7",
    "/runs",
    "/quarantine",
    "/quarantine/1",
    "/find",
    "/resyncs",
    "/transmitted",
    "/revisions",
    "/revisions/2",
    "/system?ask=1",
)


class Live:
    """`segsync up --console` in a folder of its own; `url` is the console's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "segsync.toml"
        self.file.write_text(FILE.format(namespace="console"))
        with closing(sqlite3.connect(folder / "shop.db")) as target:
            target.executescript(TABLES)
        self.told = folder / "told"
        environ = {name: value for name, value in os.environ.items() if name != "SEGSYNC_REDIS_URL"}
        with self.told.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "--config", str(self.file), "up", "--console"],
                cwd="/",
                env=environ,
                stdout=out,
                stderr=out,
            )
        self.redis = self._said(r"this one is ours, at (redis://\S+),")
        self.url = self._said(r"console is at (http://\S+)/")

    def _said(self, pattern: str) -> str:
        found = until(lambda: re.search(pattern, self.told.read_text()), self.told.read_text)
        assert found
        return found[1]

    def push(self) -> Producer:
        return Producer(self.redis, namespace="console")

    def rows(self) -> set[tuple[int, str]]:
        with closing(sqlite3.connect(self.folder / "shop.db")) as target:
            return set(target.execute("SELECT segment_id, client_id FROM segment_member"))

    def run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "shop.db")) as target, target:
            target.execute(statement)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("console")
    running = Live(folder)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        assert wait_until_gone(folder) == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    from tests.servers.chromium import running_chromium  # noqa: PLC0415 - Playwright is not there in all runs

    with running_chromium() as browser:
        yield browser


@pytest.fixture
def page(live: Live, chromium: Browser) -> Iterator[Page]:
    """A window in which nothing goes wrong unseen."""
    context = chromium.new_context(base_url=live.url, viewport={"width": 1200, "height": 900})
    context.set_default_timeout(60_000)
    found, wrong = context.new_page(), list[str]()
    found.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    found.on("pageerror", lambda error: wrong.append(str(error)))
    until(lambda: _answers(found), "the console")
    wrong.clear()
    yield found
    context.close()
    assert wrong == []


def _answers(page: Page) -> bool:
    from playwright.sync_api import Error  # noqa: PLC0415 - as above

    try:
        return page.goto("/") is not None
    except Error:
        return False


def test_somebody_who_has_never_seen_it_comes_all_the_way(live: Live, page: Page) -> None:
    """One story, as each step needs the one before it."""
    _creates(page)
    with live.push() as producer:
        producer.segment_upsert(7, name="VIP <customers>")
        producer.add(7, [{"_id": n, "CustomID": f"A-{n}"} for n in range(5)])
        producer.add(7, [{"_id": 61, "email": "ann@example.com"}])
    until(lambda: len(live.rows()) == 5, live.told.read_text)
    page.goto("/integrations/vip")
    page.get_by_text(re.compile(r"[1-9] successful")).wait_for()
    _pauses(live, page)
    _breaks_and_mends(live, page)
    _resyncs(live, page)
    page.goto("/find")
    page.locator("input[name=segment]").fill("7")
    page.locator("input[name=profile]").fill("A-1")
    page.get_by_role("button", name="Find").click()
    page.get_by_text("profile A-1: nothing of it waits").wait_for()


def _creates(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="+ Create").click()
    page.get_by_role("button", name="Begin with its usual queries").click()
    page.locator("input[name=key]").fill("vip")
    page.locator("input[name=timeout]").fill("soon")
    page.locator("input[name=name]").fill("VIP customers")
    # What is wrong is said while it is being written.
    page.locator("#wrong-timeout").get_by_text("expected").wait_for()
    page.locator("input[name=timeout]").fill("1s")
    page.get_by_role("button", name="Try on the target, and roll back").click()
    page.get_by_text("tried, and rolled back").wait_for()
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("heading", name="VIP customers").wait_for()


def _pauses(live: Live, page: Page) -> None:
    page.locator("input[name=reason]").fill("stocktaking")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("vip is paused; its events are kept").wait_for()
    with live.push() as producer:
        producer.add(7, [{"_id": 9, "CustomID": "A-9"}])
    page.locator("#integration-state dd").first.get_by_text("1", exact=True).wait_for()  # renewed by itself
    assert len(live.rows()) == 5
    page.get_by_role("button", name="Resume").click()
    until(lambda: len(live.rows()) == 6, "the row that was kept")


def _breaks_and_mends(live: Live, page: Page) -> None:
    page.get_by_role("link", name="Edit").click()
    add = page.locator("textarea[name='queries.add']")
    right = add.input_value()
    add.fill(right.replace("segment_member", "segment_membr"))
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Publish").click()
    with live.push() as producer:
        producer.add(7, [{"_id": 10, "CustomID": "A-10"}])
    page.locator("#integration-state").get_by_text("a table does not exist").wait_for()
    page.get_by_role("link", name="Edit").click()
    page.locator("textarea[name='queries.add']").fill(right)
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Publish").click()
    until(lambda: len(live.rows()) == 7, "the row that was held")


def _resyncs(live: Live, page: Page) -> None:
    members = ", ".join(f"(7, {n}, 'A-{n}')" for n in (0, 1, 2, 3, 4, 9, 10, 11))
    live.run(f"INSERT INTO membership VALUES {members}")
    page.goto("/integrations/vip/resync")
    page.locator("input[name=segments]").fill("7")
    page.get_by_role("button", name="Start resync").click()
    # Without a query `members` all rows go first, which a person must have seen.
    page.get_by_role("button", name=re.compile("Remove .* and add")).click()
    until(lambda: (7, "A-11") in live.rows(), "the member that was missing")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_can_be_read_by_everybody(live: Live, chromium: Browser, theme: str, width: int) -> None:
    """No page is wider than the window, and axe-core finds nothing that keeps anybody out."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    context = chromium.new_context(
        base_url=live.url,
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
        bypass_csp=True,  # for axe-core alone, which is put into the page
    )
    page, wrong = context.new_page(), list[str]()
    for path in PATHS:
        page.goto(path)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong.append(f"{path} is {wide} wide")
        found = Axe().run(page)
        wrong += [f"{path}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in found.response["violations"]]
    context.close()
    assert wrong == []


def test_everything_is_reached_by_the_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "+ Create"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Create an integration").wait_for()


def test_without_its_script_every_page_and_act_works(live: Live, chromium: Browser) -> None:
    context = chromium.new_context(base_url=live.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/integrations/vip")
    page.get_by_role("button", name="Retry at once").click()
    page.get_by_text("vip is tried at once").wait_for()
    context.close()


def test_pictures_for_the_first_page(live: Live, chromium: Browser) -> None:
    """Two of them, where somebody wants new ones: SEGSYNC_PICTURES=1."""
    with live.push() as producer:
        producer.add(7, [{"_id": 62, "email": "ann@example.com"}, {"_id": 63}])
    folder = IMAGES if os.environ.get("SEGSYNC_PICTURES") else live.folder
    for name, path, height in (("console-overview", "/", 560), ("console-integration", "/integrations/vip", 860)):
        context = chromium.new_context(base_url=live.url, viewport={"width": 1200, "height": height})
        page = context.new_page()
        page.goto("/")
        # What it did in a day comes a moment after the page, and so does what is held.
        page.locator("svg.spark").first.wait_for()
        page.goto(path)
        page.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 10_000
        context.close()
