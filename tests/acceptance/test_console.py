"""The console in a real browser, against a live installation: what somebody does who has never seen segsync."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from segsync import Producer
from tests.leftovers import wait_until_gone
from tests.waiting import until
from workers.connectors.sql.vendors import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwright.sync_api import Browser, Page, Request, Route

    from tests.servers.postgresql import PostgresqlServer

pytestmark = [pytest.mark.fetched, pytest.mark.timeout(900)]
WIDTHS, THEMES = (360, 800, 1400), ("light", "dark")
IMAGES = Path(__file__).parents[2] / "docs" / "images"
FILE = """
namespace = "{namespace}"
[ledger]
url = "{ledger}"
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
    "/connectors",
    "/connectors/shop",
    "/connectors/shop/edit",
    "/create-connector",
    "/accounts",
    "/create-account?platform=google-audiences",
    "/sources",
    "/sources/main",
    "/sources/main/edit",
    "/create-source",
    "/create-source?kind=http",
    "/audit",
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
    "/erase",
    "/resyncs",
    "/transmitted",
    "/revisions",
    "/revisions/2",
    "/system?ask=1",
    "/system?examine=1",
)


class Live:
    """`segsync up --console` in a folder of its own, on a file without connectors; `url` is the console's.

    ledger  its URL
    target  the URL of the database that is written to, whose tables are there
    """

    def __init__(self, folder: Path, ledger: str = "sqlite:///ledger.db", target: str = "sqlite:///shop.db") -> None:
        self.folder = folder
        self.target = target
        self.file = folder / "segsync.toml"
        self.file.write_text(FILE.format(namespace="console", ledger=ledger))
        with closing(sqlite3.connect(folder / "shop.db")) as made:
            made.executescript(TABLES)
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
        if self.target.startswith("postgresql"):
            with psycopg.connect(self.target) as session:
                return set(session.execute("SELECT segment_id, client_id FROM segment_member").fetchall())
        with closing(sqlite3.connect(self.folder / "shop.db")) as target:
            return set(target.execute("SELECT segment_id, client_id FROM segment_member"))

    def run(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "shop.db")) as target, target:
            target.execute(statement)


@contextmanager
def running(folder: Path, **urls: str) -> Iterator[Live]:
    found = Live(folder, **urls)
    try:
        yield found
    finally:
        found.process.kill()
        found.process.wait()
        assert wait_until_gone(folder) == []


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("console")) as found:
        yield found


@pytest.fixture
def on_postgresql(
    tmp_path: Path, postgresql_server: PostgresqlServer, postgresql_url: str, namespace: str
) -> Iterator[Live]:
    """Its ledger and its target are there, each in a database of its own: queries may not reach the ledger's."""
    with psycopg.connect(postgresql_url, autocommit=True) as session:
        for table in (VENDORS["postgresql"].preset.members, VENDORS["postgresql"].preset.segments):
            session.execute(table.encode())
    ledger = f"{namespace}_ledger"
    postgresql_server.create_database(ledger)
    try:
        with running(tmp_path, ledger=postgresql_server.url(ledger), target=postgresql_url) as found:
            yield found
    finally:
        postgresql_server.drop_database(ledger)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    from tests.servers.chromium import running_chromium  # noqa: PLC0415 - Playwright is not there in all runs

    with running_chromium() as browser:
        yield browser


@contextmanager
def window(live: Live, chromium: Browser) -> Iterator[Page]:
    """One in which nothing goes wrong unseen."""
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


@pytest.fixture
def page(live: Live, chromium: Browser) -> Iterator[Page]:
    with window(live, chromium) as found:
        yield found


def _answers(page: Page) -> bool:
    from playwright.sync_api import Error  # noqa: PLC0415 - as above

    try:
        return page.goto("/") is not None
    except Error:
        return False


@pytest.mark.parametrize("databases", ["sqlite", "postgresql"])
def test_somebody_who_has_never_seen_it_comes_all_the_way(
    databases: str, request: pytest.FixtureRequest, chromium: Browser
) -> None:
    """One story, as each step needs the one before it; with ledger and target in SQLite, and in PostgreSQL."""
    live = request.getfixturevalue("live" if databases == "sqlite" else "on_postgresql")
    with window(live, chromium) as page:
        _walk(live, page)
        if databases != "sqlite":  # what others look at stays
            _removes(live, page)


def _walk(live: Live, page: Page) -> None:
    _connects(live, page)
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
    for path in PATHS:
        answer = page.goto(path)
        assert answer is not None
        assert (answer.status, path) == (200, path)


def _connects(live: Live, page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="+ Create").click()
    page.get_by_role("link", name="Create one").click()
    page.locator("input[name=key]").fill("shop")
    page.locator("input[name=url]").fill("nowhere")
    page.locator("input[name=rate]").fill("1000/s")
    page.locator("#wrong-url").get_by_text("expected").wait_for()
    page.get_by_text("SEGSYNC_CONNECTOR_SHOP_PASSWORD").wait_for()
    page.locator("input[name=url]").fill(live.target)
    page.get_by_label("it has none").check()
    page.get_by_role("button", name="Try to connect").click()
    page.get_by_role("row").filter(has_text="session").get_by_text("fine").first.wait_for()
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("button", name="Check").click()
    page.get_by_text("shop is fine").wait_for()


def _removes(live: Live, page: Page) -> None:
    page.goto("/integrations/vip/edit")
    page.locator("input[name=confirm]").fill("vip")
    page.get_by_role("button", name="Remove vip").click()
    page.get_by_text("There is no integration yet.").wait_for()
    assert len(live.rows()) == 8
    page.goto("/audit")
    page.get_by_role("row").filter(has_text="preview --try").first.wait_for()


def _creates(page: Page) -> None:
    page.get_by_role("link", name="create one").click()
    assert page.locator("select[name=connector]").last.input_value() == "shop"
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
    with page.expect_request(re.compile(r"/live\?")):  # the parts that can be seen come through a stream
        page.goto("/integrations/vip")
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
    # The example lists the rows that are there: one member more is added, and nobody need say yes to it.
    page.get_by_role("button", name="Start resync").click()
    until(lambda: (7, "A-11") in live.rows(), "the member that was missing")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_can_be_read_by_everybody(live: Live, chromium: Browser, theme: str, width: int) -> None:
    """No page is wider than the window, and axe-core finds nothing that keeps anybody out."""
    assert unfit(live, chromium, PATHS, theme, width) == []


def unfit(live: Live, chromium: Browser, paths: Iterable[str], theme: str, width: int) -> list[str]:
    """What is wrong with pages; each as a picture, where somebody has named a folder for them."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - as above

    context = chromium.new_context(
        base_url=live.url,
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
        bypass_csp=True,  # for axe-core alone, which is put into the page
    )
    page, wrong = context.new_page(), list[str]()
    for path in paths:
        page.goto(path)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            wrong.append(f"{path} is {wide} wide")
        if folder := os.environ.get("SEGSYNC_LOOKS"):
            name = re.sub(r"[^a-z0-9]+", "-", path).strip("-") or "overview"
            page.screenshot(path=Path(folder) / f"{name}-{width}-{theme}.png", full_page=True)
        found = Axe().run(page)
        wrong += [f"{path}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in found.response["violations"]]
    context.close()
    return wrong


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


def test_of_two_checks_the_last_one_counts(page: Page) -> None:
    """The answer to the first is held back until that to the second is there."""
    from playwright.sync_api import Error  # noqa: PLC0415 - as above

    held: list[Route] = []
    over: list[Request] = []

    def ends(request: Request) -> None:  # Playwright takes no method of a list
        over.append(request)

    page.on("requestfinished", ends)
    page.on("requestfailed", ends)
    page.route(re.compile("/create/check$"), lambda route: route.continue_() if held else held.append(route))
    page.goto("/create?connector=shop")
    page.locator("input[name=key]").fill("two")
    page.locator("input[name=timeout]").fill("soon")
    page.locator("input[name=name]").fill("Two")
    wrong = page.locator("#wrong-timeout").get_by_text("expected")
    wrong.wait_for()
    with suppress(Error):  # nobody waits for it any more
        held[0].continue_()
    until(lambda: page.evaluate("1") and held[0].request in over, "the first answer")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert wrong.is_visible()


def test_whoever_gets_no_stream_asks(live: Live, chromium: Browser, page: Page) -> None:
    context = chromium.new_context(base_url=live.url)
    context.route(re.compile(r"/live\?"), lambda route: route.fulfill(status=503))
    other = context.new_page()
    other.goto("/integrations/vip")
    page.goto("/integrations/vip")
    page.locator("input[name=reason]").fill("without a stream")
    page.get_by_role("button", name="Pause").click()
    other.locator("#integration-state").get_by_text("without a stream").wait_for(timeout=60_000)
    page.get_by_role("button", name="Resume").click()
    context.close()


def test_many_windows_of_one_browser_keep_it_from_nothing(live: Live, chromium: Browser) -> None:
    """It opens six connections to a host, and a stream takes one: a stream for each window would take all of them."""
    context = chromium.new_context(base_url=live.url)
    windows = [context.new_page() for _ in range(8)]
    until(lambda: _answers(windows[0]), "the console")
    for each in windows:
        with each.expect_response(re.compile(r"/live\?")):
            each.goto("/", timeout=60_000)
    windows[0].get_by_role("link", name="System").click(timeout=60_000)
    windows[0].get_by_role("heading", name="System", exact=True).wait_for(timeout=60_000)
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


def test_an_ad_account_is_created_with_an_integration_of_it(live: Live, chromium: Browser) -> None:
    """The last one: workers miss its secrets from then on, which pages say."""
    with window(live, chromium) as page:
        page.goto("/accounts")
        page.get_by_role("link", name="+ Create").click()
        page.locator("select[name=platform]").select_option("yandex-audiences")
        page.get_by_role("button", name="Show what it needs").click()
        page.locator("input[name=key]").fill("ya")
        page.locator("input[name=client_id]").fill("1234")
        page.get_by_text("SEGSYNC_CONNECTOR_YA_CLIENT_SECRET").wait_for()
        page.get_by_role("button", name="Show what changes").click()
        page.get_by_role("button", name="Publish").click()
        page.get_by_text("segsync connect ya").wait_for()
        page.goto("/create?connector=ya")
        page.locator("input[name=key]").fill("buyers")
        page.locator("input[name='fields.phone']").fill("")
        page.get_by_role("button", name="Preview").click()
        page.get_by_label("Statements").get_by_text("sha256").wait_for()
        page.get_by_role("button", name="Show what changes").click()
        page.get_by_role("button", name="Publish").click()
        page.get_by_role("heading", name="buyers").wait_for()
    paths = ("/accounts", "/accounts/ya", "/accounts/ya/edit", "/integrations/buyers", "/integrations/buyers/edit")
    found = [wrong for width in WIDTHS for theme in THEMES for wrong in unfit(live, chromium, paths, theme, width)]
    assert found == []
