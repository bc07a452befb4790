"""Chromium without a window: what a page's scripts leave in it, or how it looks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def browse(page: Path, *flags: str) -> str:
    """The browser's output on a page.

    Args:
        page: a file; the browser's own files are written beside it.
        flags: of the browser.
    """
    assert CHROMIUM, "no Chromium: apt-get install chromium (.ci/setup does)"
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-extensions", "--hide-scrollbars",
        f"--user-data-dir={page.parent / 'browser'}", *flags, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
