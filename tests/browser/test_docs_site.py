"""The documentation in a browser, opened from the disk: search, palettes, small screens, accessibility."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["index", "tutorials/first_run", "course", "reference/params", "traps", "results", "faq", "architecture"]
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the built site's folder."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    return folder.as_uri()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_narrow_screen(page: Any, site: str, name: str) -> None:
    """Tables and code scroll by themselves."""
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(f"{site}/{name}.html")
    page.wait_for_selector("article h1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "course", "reference/params", "faq"])
def test_a_page_is_accessible(page: Any, site: str, name: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site}/{name}.html")
    page.wait_for_selector("article h1")
    violations = [
        one for one in Axe().run(page, options={"preload": False}).response["violations"] if one["impact"] in SERIOUS
    ]
    found = [(one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary")) for one in violations]
    assert found == []


def test_search_finds_a_key(page: Any, site: str) -> None:
    page.goto(f"{site}/index.html")
    page.locator(".md-search__input").fill("forget_bias")
    page.locator(".md-search-result__link").first.wait_for()
    assert page.locator(".md-search-result__link[href*='reference/params.html']").count() > 0


def test_the_palette_can_be_switched(page: Any, site: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"{site}/index.html")
    assert page.locator("body").get_attribute("data-md-color-scheme") == "default"
    page.locator("label[title='Switch to dark mode']").click()
    assert page.locator("body").get_attribute("data-md-color-scheme") == "slate"


def test_a_link_to_a_key_leads_to_its_block(page: Any, site: str) -> None:
    page.goto(f"{site}/reference/params.html")
    page.locator("article td a[href='#optimiser']").first.click()
    page.wait_for_function("location.hash === '#optimiser'")
    assert page.locator("h2#optimiser").is_visible()
