"""A real headless Chromium for tests and for the pictures of the docs: what it was asked for, and what it complained of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOCAL = ("file", "data", "blob", "about", "chrome")
HOSTS = ("localhost", "127.0.0.1", "0.0.0.0", "[::1]")  # noqa: S104  # names that may be asked, none that is listened on
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


def chromium_path() -> str | None:
    """Where Chromium is: $CHROMIUM, else on PATH; None without."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def lacking() -> str:
    """What is missing to open a page, in words; empty where nothing is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ModuleNotFoundError:
        return "playwright is not installed"
    return "" if chromium_path() else "no Chromium on PATH, and $CHROMIUM names none"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, closed at the end."""
    from playwright.sync_api import sync_playwright

    # Root may not use the sandbox; containers often have a small /dev/shm. No service of the browser's own may go out.
    quiet = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium_path(), args=quiet)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, and all that should not happen on it. Nothing outside this machine is reached: such requests are refused, and noted."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Errors of the console, and exceptions nobody caught."""
    outside: list[str] = field(default_factory=list)
    """Addresses outside this machine that it asked for."""


@contextmanager
def watched(browser: Browser, viewport: dict[str, int] | None = None, **options: object) -> Iterator[Watched]:
    """A fresh page in a context of its own; `options` are those of playwright's new_context (color_scheme, locale, ...)."""
    context = browser.new_context(viewport=viewport or DESKTOP, **options)  # type: ignore[arg-type]
    page = context.new_page()
    seen = Watched(page)
    page.on("console", lambda m: seen.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: seen.complaints.append(str(e)))

    def let_through(route: object) -> None:
        url = route.request.url  # type: ignore[attr-defined]
        parts = urlsplit(url)
        if parts.scheme in LOCAL or parts.hostname in HOSTS:
            route.continue_()  # type: ignore[attr-defined]
        else:
            seen.outside.append(url)
            route.abort()  # type: ignore[attr-defined]

    context.route("**/*", let_through)
    try:
        yield seen
    finally:
        context.close()
