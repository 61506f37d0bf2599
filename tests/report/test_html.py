"""The HTML writer: every element is shown, no text becomes markup, and large elements are embedded once."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from cvnlp.report import html
from cvnlp.report.elements import (
    Code,
    Column,
    ConfusionMatrix,
    Element,
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
    single_figure,
)
from cvnlp.report.spread import Spread

HOSTILE = "<script>alert('1')</script> & \"quotes\" <b>"
PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)


class Words(HTMLParser):
    """The words and tags of a page, without style and script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page[page.index("<main") : page.index("</main>")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def render(*elements: Element) -> Words:
    return Words(html.render(Section("Top", elements), Path("/project/reports"), title="Top"))


@pytest.fixture
def image(tmp_path: Path) -> Image:
    PillowImage.new("RGB", (40, 20)).save(tmp_path / "a.png")
    return Image(tmp_path / "a.png", HOSTILE)


def test_text_of_any_element_is_never_markup(image: Image) -> None:
    figure = Figure(HOSTILE, HOSTILE, (image,))
    picture = Picture(PIXELS, HOSTILE)
    elements = (
        Section(HOSTILE, (Text(HOSTILE, Code(HOSTILE), Link(HOSTILE, "https://example.org/?a='\"<b>")),)),
        Table(HOSTILE, (Column(HOSTILE, [HOSTILE]),), HOSTILE),
        figure,
        SampleText(HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),)),
        Numbers(HOSTILE, (Number(HOSTILE, HOSTILE, HOSTILE),)),
        Pictures(HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, (picture,)),)),
        ConfusionMatrix(figure, (HOSTILE,), np.ones((1, 1), int), {(0, 0): (picture,)}),
        TokenText(HOSTILE, HOSTILE, (HOSTILE,), (TokenValues(HOSTILE, (0.5,), 0.0, 1.0),) * 2, " ", "\n"),
        Stepper(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: (Text(HOSTILE),)}),
    )
    found = render(*elements)
    assert "script" not in found.tags and "b" not in found.tags
    assert sum(HOSTILE in word for word in found.words) >= 20


def test_numbers_of_a_table_are_sorted_by_their_value_and_missing_ones_have_none() -> None:
    column = Column("score", [0.98765, None, float("nan"), Spread(0.5, 0.25, 3), "not run"], ".2f")
    found = render(Table("Scores", (column,)))
    assert [value for name, value in found.attributes if name == "data-sort"] == ["0.98765", "", "", "0.5", ""]
    shown = "".join(found.words)
    assert "0.99" in shown and "0.50 ± 0.25 (3)" in shown and "not run" in shown


def test_figures_are_embedded_at_half_their_pixels_and_only_once(image: Image) -> None:
    figure = Figure("Twice", "Caption.", (image,))
    found = render(Section("One", (figure,)), Section("Two", (figure,)))
    assert found.tags.count("img") == 1
    assert ("width", "20") in found.attributes and ("height", "10") in found.attributes
    (place,) = [value for name, value in found.attributes if name == "href"]
    assert ("id", place.removeprefix("#")) in found.attributes


def test_sliders_are_embedded_only_once() -> None:
    stepper = Stepper(
        "By eps", "Caption.", "eps", {"0.1": (Pictures("", "", "Seen", (("", (Picture(PIXELS, ""),)),)),)}
    )
    found = render(Section("One", (stepper,)), Section("Two", (stepper,)))
    assert found.tags.count("input") == found.tags.count("img") == 1
    (place,) = [value for name, value in found.attributes if name == "href"]
    assert ("id", place.removeprefix("#")) in found.attributes


def test_pictures_keep_their_pixels() -> None:
    found = render(Pictures("Grid", "Caption.", "Seen", (("row", (Picture(PIXELS, "first"),)),)))
    (source,) = [value for name, value in found.attributes if name == "src"]
    import base64
    import io

    with PillowImage.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as opened:
        np.testing.assert_array_equal(np.asarray(opened), PIXELS[..., 0])


def test_cells_with_pictures_are_buttons_for_them() -> None:
    figure = single_figure("Matrix", "Caption.", Path("/x.png"), "Seen")
    counts, picture = np.array([[3, 1], [0, 2]]), Picture(PIXELS, "90%")
    found = render(ConfusionMatrix(figure, ("a", "b"), counts, {(0, 1): (picture,)}))
    (cell,) = [value for name, value in found.attributes if name == "aria-controls"]
    assert ("id", cell) in found.attributes
    assert ("aria-label", "a predicted as b: 1") in found.attributes
    assert found.tags.count("img") == 1  # the drawing is not embedded, the matrix is a table


def test_tokens_have_shades_by_their_value_and_line_ends_break_the_line() -> None:
    values = TokenValues("nats", (0.0, 5.0, 99.0), 0.0, 10.0)
    found = render(TokenText("Text", "Caption.", ("a", "b", "\n"), (values,), "", "\n"))
    assert [value for name, value in found.attributes if name == "class" and value.startswith("s")][-3:] == [
        "s0",
        "s5",
        "s9",
    ]
    assert "↵" in found.words


def test_links_to_files_are_relative_and_links_to_nothing_are_refused() -> None:
    found = render(Text(Link("params", Path("/project/params.yaml"), line=7)))
    assert ("href", "../params.yaml#L7") in found.attributes
    with pytest.raises(ValueError, match="#run-cnn"):
        render(Text(Link("cnn", "#run-cnn")))
