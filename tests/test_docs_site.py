"""The documentation as a site: built without a warning, with links that lead somewhere, loading nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from cloning import ROOT
from cvnlp.params import Params
from cvnlp.reference.page import anchor, params_page
from cvnlp.reference.schema import all_models

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
NOT_LOADED = ("canonical", "prev", "next")  # links in the head that a browser does not follow


class Page(HTMLParser):
    """Addresses that a page loads, those that it links to, and the names of its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.links: set[str] = set()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in LOADED and LOADED[tag] in found and found.get("rel") not in NOT_LOADED:
            self.loaded.add(found[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All but the page of a missing address, whose links begin at the root of a server."""
    paths = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    return {path: Page(path.read_text(encoding="utf-8")) for path in paths}


def test_every_document_is_a_page(pages: dict[Path, Page], site: Path) -> None:
    built = {str(path.relative_to(site).with_suffix("")) for path in pages}
    documents = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in (ROOT / "docs").rglob("*.md")}
    assert documents <= built
    assert {"reference/params", "report", "benchmarks", "contributing", "changelog"} <= built
    assert {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= built


def test_nothing_is_loaded_from_other_servers(pages: dict[Path, Page]) -> None:
    loaded = {address for page in pages.values() for address in page.loaded}
    assert len(loaded) > 10
    assert [address for address in sorted(loaded) if urlsplit(address).netloc] == []


def internal(page: Path, parsed: Page) -> Iterator[tuple[str, Path, str]]:
    """Address, file and anchor of what a page links to or loads within the site."""
    for address in parsed.links | parsed.loaded:
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc:
            yield (
                address,
                (page.parent / unquote(parts.path)).resolve() if parts.path else page,
                unquote(parts.fragment),
            )


def test_links_lead_to_files_and_places(pages: dict[Path, Page], site: Path) -> None:
    broken = []
    for page, parsed in pages.items():
        for address, target, place in internal(page, parsed):
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (place and target in pages and place not in pages[target].names):
                broken.append(f"{page.relative_to(site)}: {address}")
    assert broken == []


def test_the_reference_has_every_block_and_key(site: Path) -> None:
    page, text = Page((site / "reference/params.html").read_text(encoding="utf-8")), params_page()
    for form in all_models(Params):
        assert form is Params or anchor(form) in page.names
        assert [key for key in form.model_fields if f"\n| `{key}` | " not in text] == []


def test_code_in_numbered_lists_is_code(pages: dict[Path, Page]) -> None:
    """GitHub and Python-Markdown need different indentations."""
    assert [path for path in pages if "```" in path.read_text(encoding="utf-8")] == []


def test_figures_of_the_readme_are_on_the_page_of_results(site: Path) -> None:
    text = (site / "results.html").read_text(encoding="utf-8")
    assert "<table>" in text
    assert "cnn_robust" in text
    assert "include README" not in text
