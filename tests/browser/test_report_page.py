"""The page of the report in a real browser: what moves, opens and sorts, and that everybody can use it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from cvnlp.report import html
from cvnlp.report.elements import (
    Column,
    ConfusionMatrix,
    Figure,
    Image,
    Link,
    Number,
    Numbers,
    Picture,
    Pictures,
    SampleText,
    Section,
    Stepper,
    Table,
    Text,
    TokenText,
    TokenValues,
)

PHONE, DESKTOP = {"width": 375, "height": 800}, {"width": 1280, "height": 900}


def whole_report(folder: Path) -> Section:
    """Every element, some of them wide."""
    PillowImage.new("RGB", (2400, 600), "white").save(folder / "plot.png")
    figure = Figure("A plot", "See the line.", (Image(folder / "plot.png", "A line plot"),))
    pictures = tuple(Picture(np.full((28, 28, 1), shade, np.uint8), f"{shade}") for shade in range(0, 250, 20))
    scores = Column("accuracy", [0.5, 0.978, None, 0.962], ".3f")
    wide = (Column(f"a rather long title of column {number}", ["cell"] * 4) for number in range(9))
    table = Table("Runs", (Column("run", ["rules", "cnn", "none", "mlp"]), scores, *wide), "All runs.")
    matrix = ConfusionMatrix(
        figure, ("a", "b"), np.array([[3, 1], [0, 2]]), {(0, 0): pictures[:2], (0, 1): pictures[2:3]}
    )
    loss, gate = TokenValues("nats", (0.1, 2.0, 9.0), 0, 10), TokenValues("forget gate", (0.9, 0.5, 0.1), 0, 1)
    tokens = TokenText("Tokens", "Dark is hard.", ("T", "o", "\n"), (loss, gate), "", "\n")
    steps = {name: (SampleText("Generated", f"text at {name}"),) for name in ("0.5", "1", "1.5")}
    inner = Section("cnn", (figure, Numbers("Facts", (Number("pixels", 28),))), id="run-cnn", folded=True)
    parts = (
        Section("Summary", (Text("See ", Link("cnn", "#run-cnn"), "."), table), id="summary"),
        Section(
            "Chapters", (Pictures("Digits", "All.", "Digits", (("row", pictures),)), matrix, tokens), id="chapters"
        ),
        Section("Samples", (Stepper("Samples", "By temperature.", "temperature", steps),), id="samples"),
        Section("Runs", (inner,), id="runs"),
    )
    return Section("Report", parts)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(html.render(whole_report(folder), folder, title="Report"), encoding="utf-8")
    return (folder / "report.html").as_uri()


@pytest.fixture
def report(page: Any, address: str) -> Iterator[Any]:
    page.set_viewport_size(DESKTOP)
    page.goto(address)
    yield page


def column(page: Any, index: int) -> list[str]:
    found: list[str] = page.locator(f"table.sortable tbody td:nth-child({index})").all_inner_texts()
    return found


def test_tables_sort_by_a_click_with_missing_values_last(report: Any) -> None:
    head = report.get_by_role("button", name="accuracy")
    head.click()
    assert column(report, 2) == ["0.978", "0.962", "0.500", ""]
    assert report.get_by_role("columnheader", name="accuracy").get_attribute("aria-sort") == "descending"
    head.press("Enter")
    assert column(report, 2) == ["0.500", "0.962", "0.978", ""]
    report.get_by_role("button", name="run", exact=True).click()
    assert column(report, 1) == ["rules", "none", "mlp", "cnn"]


def test_a_slider_shows_one_step_at_a_time(report: Any) -> None:
    slider = report.get_by_role("slider", name="temperature")
    assert report.get_by_text("text at 0.5").is_visible() and not report.get_by_text("text at 1.5").is_visible()
    slider.focus()
    slider.press("End")
    assert report.get_by_text("text at 1.5").is_visible() and not report.get_by_text("text at 0.5").is_visible()
    assert slider.get_attribute("aria-valuetext") == "1.5"


def test_a_cell_of_the_confusion_matrix_opens_its_pictures(report: Any) -> None:
    correct, mistake = (report.get_by_role("button", name=f"a predicted as {name}") for name in "ab")
    mistake.press("Enter")
    assert report.locator(".cells .row:visible img").count() == 1
    correct.click()
    assert report.locator(".cells .row:visible img").count() == 2
    assert mistake.get_attribute("aria-expanded") == "false"
    correct.click()
    assert report.locator(".cells .row:visible").count() == 0


def test_a_token_shows_its_numbers_and_the_colours_follow_the_choice(report: Any) -> None:
    text = report.locator("figure.tokens")
    text.locator("i").nth(1).hover()
    assert text.locator(".readout").inner_text() == "o: nats 2, forget gate 0.5"
    text.locator(".text").press("ArrowLeft")
    assert text.locator(".readout").inner_text() == "T: nats 0.1, forget gate 0.9"
    assert [token.get_attribute("class") for token in text.locator("i").all()] == ["s0 current", "s2", "s9"]
    text.get_by_role("combobox").select_option("forget gate")
    assert [(token.get_attribute("class") or "").split()[0] for token in text.locator("i").all()] == ["s9", "s5", "s1"]


def test_figures_enlarge_and_close_by_the_keyboard(report: Any) -> None:
    report.get_by_role("link", name="cnn").first.click()
    report.get_by_role("button", name="Enlarge: A line plot").press("Enter")
    image = report.locator("dialog img")
    assert image.is_visible()
    assert image.evaluate("image => image.width") == 2400
    report.keyboard.press("Escape")
    assert not report.locator("dialog").is_visible()


def test_folded_sections_open_by_a_link_and_all_at_once(report: Any) -> None:
    facts = report.get_by_text("pixels", exact=True)
    assert not facts.is_visible()
    report.locator("#summary").get_by_role("link", name="cnn").click()
    assert facts.is_visible()
    report.reload()
    assert facts.is_visible()  # the address still names the section
    report.get_by_role("button", name="Close all").click()
    assert not facts.is_visible()
    report.get_by_role("button", name="Open all").click()
    assert facts.is_visible()


def test_the_theme_can_be_chosen(report: Any) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = report.evaluate(ground)
    report.get_by_role("button", name="Light or dark").click()
    assert report.evaluate(ground) != light


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_scrolls_sideways(report: Any, size: dict[str, int]) -> None:
    report.set_viewport_size(size)
    report.get_by_role("button", name="Open all").click()
    assert report.evaluate("document.documentElement.scrollWidth") <= size["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(report: Any, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    report.emulate_media(color_scheme=scheme)
    report.get_by_role("button", name="Open all").click()
    found = [one for one in axe.run(report).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def test_without_scripts_every_step_is_shown(browser: Any, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert all(page.get_by_text(f"text at {name}").is_visible() for name in ("0.5", "1.5"))
    context.close()


def test_everything_is_printed(report: Any) -> None:
    report.evaluate("dispatchEvent(new Event('beforeprint'))")
    report.emulate_media(media="print")
    assert report.get_by_text("pixels", exact=True).is_visible()
    assert all(report.get_by_text(f"text at {name}", exact=True).is_visible() for name in ("0.5", "1", "1.5"))
