"""A page in a real browser: tests that use it fail on errors in its console and on requests to other machines."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; the tests are skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium or Chrome")
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextlib.contextmanager
def guarded_page(browser: Any) -> Iterator[Any]:
    """An empty page that reaches files and this machine alone."""
    problems: list[str] = []
    context = browser.new_context()
    context.set_default_timeout(60_000)

    def guard(route: Any) -> None:
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data") or address.hostname == "127.0.0.1":
            route.continue_()
        else:
            problems.append(f"request to {route.request.url}")
            route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with guarded_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def shared_page(browser: Any) -> Iterator[Any]:
    """One page for all tests of a module that only compute in it."""
    with guarded_page(browser) as page:
        yield page
