"""A real browser: `chromium` on PATH, or Debian's, unpacked below `.servers/`; driven by Playwright.

Run as `python -m tests.servers.chromium` it fetches and unpacks the packages (once), so that tests need no network.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.servers.debian import fetch_whole, library_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser as ChromiumBrowser

FOLDER = Path(__file__).resolve().parents[2] / ".servers" / "chromium"
PACKAGES = ("chromium", "fonts-dejavu-core")
PROGRAM = "usr/lib/chromium/chromium"


def programs() -> tuple[Path, dict[str, str]]:
    """The browser, and what it needs in its environment."""
    found = shutil.which("chromium")
    if found:
        return Path(found), {}
    tree = fetch_whole(FOLDER, PACKAGES, PROGRAM)
    return tree / PROGRAM, {"LD_LIBRARY_PATH": library_path(tree), "XDG_DATA_DIRS": str(tree / "usr/share")}


@contextmanager
def running_chromium() -> Iterator[ChromiumBrowser]:
    """Chromium without a screen; gone with the block."""
    program, environ = programs()
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container's root has not; what it opens is our own.
        browser = playwright.chromium.launch(
            executable_path=program, env={**os.environ, **environ}, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    programs()
