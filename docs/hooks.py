"""Pages of the site that are made from other files, and links that leave docs/.

mkdocs calls the functions on_... . On GitHub every document shows as it is; on the site, links to documents outside of
docs/ lead to their pages, pictures are copied, and other files are named as text, for the site has no address of the
repository.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from cvnlp.reference.page import params_page

ROOT = Path(__file__).parents[1]
# page -> the document outside of docs/ that it shows
DOCUMENTS = {
    "report.md": "reports/report.md",
    "benchmarks.md": "benchmarks/README.md",
    "benchmark_tables.md": "benchmarks/reports/table.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
NOTEBOOKS = {f"notebooks/{path.stem}.md": f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
SOURCES = DOCUMENTS | NOTEBOOKS
PAGES = {source: page for page, source in SOURCES.items()} | {"README.md": "index.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FIRST = "---\nsearch: {boost: 3}\n---\n"  # in the results of a search
SEARCH = 'data-md-component="search" role="dialog"'
INCLUDE = re.compile(r"<!-- include (\S+): (.+?) -->")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages made from other files, and the pictures outside of docs/ that any page shows."""
    shown = {target for file in files.documentation_pages() for target in _pictures_of(f"docs/{file.src_uri}")}
    files.append(File.generated(config, "reference/params.md", content=f"{FIRST}{params_page()}"))
    for page, source in SOURCES.items():
        content = _notebook(ROOT / source) if source.endswith(".ipynb") else (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, page, content=content))
        shown |= _pictures(content, source)
    for target in sorted(target for target in shown if not _is_in_docs(target)):
        files.append(File.generated(config, f"files/{target}", abs_src_path=str(ROOT / target)))
    return files


def _pictures_of(document: str) -> set[str]:
    return _pictures((ROOT / document).read_text("utf-8"), document)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """The content of a page as Python-Markdown needs it, with links that lead to pages of the site."""
    source = SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    markdown = _outside_code(markdown, lambda text: _with_links(text, source, page.file.src_uri))
    markdown = INCLUDE.sub(lambda found: _section(found[1], found[2], page.file.src_uri), markdown)
    return _indented(markdown)


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """The page with a name for the search, which the theme leaves out and screen readers need."""
    return output.replace(SEARCH, f'{SEARCH} aria-label="Search"')


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Apply `change` to all but code blocks; code within a line may be the text of a link."""
    parts = re.split(r"(^ *```.*?^ *```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))


def _with_links(text: str, source: str, page: str) -> str:
    """Links of the document `source` as links of the page `page`."""
    return LINK.sub(lambda found: _link(found, source, page), text)


def _link(found: "re.Match[str]", source: str, page: str) -> str:
    picture, text, target = found[1], found[2], found[3]
    path, _, anchor = target.partition("#")
    if not path or re.match(r"[a-z]+:", target):
        return found[0]
    place = os.path.normpath(Path(source).parent / path)
    goal = PAGES.get(place) or (place.removeprefix("docs/") if _is_in_docs(place) else None)
    if picture and goal is None:
        goal = f"files/{place}"
    if goal is None:
        return text if f"`{place}`" == text else f"{text} (`{place}`)"
    relative = os.path.relpath(goal, Path(page).parent)
    return f"{picture}[{text}]({relative}{'#' + anchor if anchor and goal != 'index.md' else ''})"


def _is_in_docs(place: str) -> bool:
    return place.startswith("docs/") and not place.endswith(".py")


def _pictures(content: str, source: str) -> set[str]:
    found = {target for picture, _, target in LINK.findall(content) if picture and "://" not in target}
    return {os.path.normpath(Path(source).parent / target) for target in found}


def _section(document: str, title: str, page: str) -> str:
    """A section of a document, without its heading: figures are written once."""
    text = (ROOT / document).read_text("utf-8")
    parts = re.split(rf"^##+ {re.escape(title)}\n", text, flags=re.MULTILINE)
    if len(parts) != 2:
        raise ValueError(f"docs/{page}: {document} has no section {title!r}")
    section = re.split(r"^## ", parts[1], flags=re.MULTILINE)[0]
    return _with_links(section, document, page).strip()


def _indented(markdown: str) -> str:
    """What belongs to an item of a numbered list indented by four spaces: GitHub needs three, Python-Markdown four."""
    lines, in_item = [], False
    for line in markdown.split("\n"):
        in_item = bool(re.match(r"\d+\. ", line)) or (in_item and (not line or line.startswith("   ")))
        lines.append(f" {line}" if in_item and line.startswith("   ") else line)
    return "\n".join(lines)


def _notebook(path: Path) -> str:
    """The cells of a notebook as a document; its outputs appear when it is run."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = ["".join(cell["source"]) for cell in cells]
    texts = [
        part if cell["cell_type"] == "markdown" else f"```python\n{part}\n```"
        for cell, part in zip(cells, parts, strict=True)
    ]
    return (
        "\n\n".join(texts) + f"\n\nRun it: `jupyter lab notebooks/{path.name}`, or in an editor that shows notebooks.\n"
    )
