"""The Markdown writer, checked by parsing what it writes: any text survives, links lead somewhere, nothing is lost."""

import random
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import numpy as np
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cvnlp.report import markdown
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
    Pictures,
    SampleText,
    Section,
    Stepper,
    Table,
    Text,
    TokenText,
    single_figure,
)
from cvnlp.report.spread import Spread

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SPECIAL = "ab1 .,-+=*_`~#|[](){}<>!&$\\\"':;/é"
FOLDER = Path("/project/reports")
TRIALS = range(100)


def random_text(seed: int) -> str:
    """Text full of marks, with a letter at both ends: space at the ends is not kept anywhere."""
    generator = random.Random(seed)
    return "a" + "".join(generator.choices(SPECIAL, k=generator.randrange(1, 12))) + "b"


def starts_like_a_block(seed: int) -> str:
    generator = random.Random(seed)
    return generator.choice(["- ", "+ ", "* ", "1. ", "12) ", "# ", "> ", "---", "===", "~~~", "| a", "    "]) + "a"


def tokens(text: str) -> list[Token]:
    return PARSER.parse(text)


def content(token: Token) -> str:
    """What a reader sees of a line; of a picture its alternative text."""
    if token.children:
        return "".join(content(child) for child in token.children)
    return "\n" if token.type == "softbreak" else token.content


def lines(text: str) -> list[str]:
    return [content(token) for token in tokens(text) if token.type == "inline"]


def render(*elements: Element, folder: Path = FOLDER) -> str:
    return markdown.render(Section("Top", elements), folder)


def one_line(text: str) -> str:
    return " ".join(text.split())


def hrefs(text: str) -> list[str]:
    children = [child for token in tokens(text) for child in token.children or []]
    return [str(child.attrs.get("href") or child.attrs.get("src")) for child in children if child.attrs]


@pytest.mark.parametrize("seed", TRIALS)
def test_any_text_is_shown_as_it_is_in_every_place(seed: int) -> None:
    text = random_text(seed)
    written = markdown.render(
        Section(
            text,
            (
                Text(text),
                Numbers(text, (Number(text, text, text),)),
                Table(text, (Column(text, [text, "second"]), Column("n", [text, None], "d")), text),
                Figure(text, text, (Image(Path("a.png"), text),)),
                SampleText(text, "", ((text, text),)),
            ),
        ),
        FOLDER,
    )
    shown, clean = lines(written), one_line(text)
    expected = [clean, clean, f"{clean}:", f"{clean}: {clean} {clean}", f"{clean}. {clean}", clean, "n", clean, clean]
    assert shown == [*expected, "second", "", clean, f"{clean}. {clean}", f"{clean} ({clean}: {clean}):"]


@pytest.mark.parametrize("seed", range(40))
def test_text_that_starts_like_a_block_is_a_paragraph(seed: int) -> None:
    text = starts_like_a_block(seed)
    assert [token.type for token in tokens(render(Text(text)))][3:] == ["paragraph_open", "inline", "paragraph_close"]
    assert lines(render(Text(text)))[1] == one_line(text)


@pytest.mark.parametrize("seed", TRIALS)
def test_verbatim_text_is_shown_as_it_is_in_sentences_and_tables(seed: int) -> None:
    text = random_text(seed).strip("ab") or "`"
    written = render(Text("x ", Code(text), " y"), Table("t", (Column("token", [Code(text)]),)))
    found = [
        child.content for token in tokens(written) for child in token.children or [] if child.type == "code_inline"
    ]
    assert found[0] == text
    assert found[1] == text or "\\|" in text  # no dialect of Markdown has a backslash and then a bar in a table


def test_verbatim_text_on_one_line_shows_line_ends() -> None:
    (line,) = lines(render(Text("See ", Code("a\nb"), ".")))[1:]
    assert line == "See a↵b."


@pytest.mark.parametrize("text", ["plain\ntext", "```\nfence\n```", "a\n\n    b\n# c", "````", "| a |\n*b*"])
def test_sample_text_is_shown_verbatim(text: str) -> None:
    (fence,) = [token for token in tokens(render(SampleText("Sample", text))) if token.type == "fence"]
    assert fence.content == f"{text}\n"


@pytest.mark.parametrize("name", ["a.png", "with space.png", "(1) [2].png", "é#?.png", "100%.png"])
def test_links_to_files_are_relative_and_lead_there(name: str, tmp_path: Path) -> None:
    path = tmp_path / "reports/figures/cnn" / name
    path.parent.mkdir(parents=True)
    path.touch()
    figure = Figure("Title", "Caption.", (Image(path, "A picture"),))
    found = hrefs(render(figure, Text(Link("File", path)), folder=tmp_path / "reports"))
    assert len(found) == 2
    for href in found:
        assert not href.startswith("/")
        assert (tmp_path / "reports" / unquote(href)).is_file()


def test_a_link_may_lead_to_a_line_of_a_file() -> None:
    assert hrefs(render(Text(Link("Parameters", Path("/project/params.yaml"), line=7)))) == ["../params.yaml#L7"]


def test_links_within_the_report_lead_to_the_anchor_of_a_section() -> None:
    written = render(Section("Run", (), id="run-cnn"), Table("All", (Column("run", [Link("cnn", "#run-cnn")]),)))
    assert hrefs(written) == ["#run-cnn"]
    assert '<a id="run-cnn"></a>\n\n## Run' in written


@pytest.mark.parametrize("place", ["text", "cell", "spans"])
def test_a_link_to_a_missing_section_is_refused(place: str) -> None:
    link = Link("cnn", "#run-cnn")
    cells = {"text": Text(link), "cell": Table("t", (Column("a", [link]),))}
    element = cells.get(place) or Table("t", (Column("a", [("see ", link)]),))
    with pytest.raises(ValueError, match="'cnn' leads to #run-cnn"):
        render(element)


def test_two_sections_with_the_same_id_are_refused() -> None:
    with pytest.raises(ValueError, match="share an id: a"):
        render(Section("One", (), id="a"), Section("Two", (Section("Three", (), id="a"),)))


def test_headings_follow_the_nesting_down_to_the_sixth_level() -> None:
    section = Section("8", ())
    for level in range(7, 0, -1):
        section = Section(str(level), (section,))
    found = [token.tag for token in tokens(markdown.render(section, FOLDER)) if token.type == "heading_open"]
    assert found == ["h1", "h2", "h3", "h4", "h5", "h6", "h6", "h6"]


def test_tables_align_numbers_to_the_right_and_leave_missing_cells_empty() -> None:
    table = Table(
        "Scores",
        (
            Column("class", ["NA", "a|b"]),
            Column("accuracy", [0.98765, None], ".3f"),
            Column("images", [12345, float("nan")], ",d"),
            Column("spread", [Spread(0.5, 0.25, 3), "not run"], ".2f"),
        ),
    )
    written = render(table).split("**Scores.**")[1].strip().splitlines()
    assert written == [
        "| class | accuracy | images |          spread |",
        "| :---- | -------: | -----: | --------------: |",
        "| NA    |    0.988 | 12,345 | 0.50 ± 0.25 (3) |",
        "| a\\|b  |          |        |         not run |",
    ]


def test_pictures_next_to_each_other_are_one_paragraph() -> None:
    images = (Image(FOLDER / "a.png", "First"), Image(FOLDER / "b.png", "Second"))
    written = tokens(render(Figure("Two", "See both.", images)))
    first, second = [token for token in written if token.type == "inline"][1:]
    assert [child.attrs["src"] for child in first.children if child.type == "image"] == ["a.png", "b.png"]
    assert content(second) == "Two. See both."


EXAMPLES: dict[type[Element], tuple[Element, list[str]]] = {
    Section: (Section("A heading", (Text("Inside."),)), ["A heading", "Inside."]),
    Text: (Text("A sentence with a ", Link("link", Path("/x")), "."), ["A sentence with a link."]),
    Table: (Table("A table", (Column("head", ["cell"]),), "Caption."), ["A table. Caption.", "head", "cell"]),
    Figure: (Figure("A figure", "Caption.", (Image(Path("/x.png"), "Seen"),)), ["Seen", "A figure. Caption."]),
    SampleText: (SampleText("A sample", "text", (("temperature", "0.8"),)), ["A sample (temperature: 0.8):"]),
    Pictures: (
        Pictures("Some pictures", "Caption.", "Seen", (("", ()),), Path("/x.png")),
        ["Seen", "Some pictures. Caption."],
    ),
    ConfusionMatrix: (
        ConfusionMatrix(single_figure("A matrix", "Caption.", Path("/x.png"), "Seen"), ("a",), np.ones((1, 1)), {}),
        ["Seen", "A matrix. Caption."],
    ),
    TokenText: (TokenText("A text", "Caption.", ("a",), (), "", "\n"), ["A text. Caption."]),
    Stepper: (
        Stepper("Steps", "Caption.", "eps", {"0.1": (Text("Inside."),)}),
        ["Steps. Caption.", "eps: 0.1", "Inside."],
    ),
    Numbers: (Numbers("Counts", (Number("images", 1234, "px", ",d"),)), ["Counts:", "images: 1,234 px"]),
}


@pytest.mark.parametrize("kind", get_args(Element))
def test_every_type_of_element_is_rendered(kind: type[Element]) -> None:
    element, expected = EXAMPLES[kind]
    assert lines(render(element))[1:] == expected
