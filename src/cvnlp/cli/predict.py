"""`cvnlp predict`: classify pictures with a trained network."""

import csv
import glob
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Json, Root, Run

if TYPE_CHECKING:
    from cvnlp.data.user_files import UnreadableFileError
    from cvnlp.vision.serving import ImageClassifier, Prediction

    Answer = tuple[str, Prediction | UnreadableFileError]

STANDARD_INPUT = "-"
TABLE_FILES = 20  # more are printed as CSV by default
PARALLEL_BYTES = 64 * 2**20  # of files, from which several processes decode them
BAR = 20  # characters of a probability of 1


class Form(StrEnum):
    """Forms of the output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def predict(
    run: Run,
    pictures: Annotated[
        list[str], typer.Argument(metavar="FILE|FOLDER|GLOB|-...", help="Pictures; - reads one from standard input.")
    ],
    *,
    top: Annotated[int, typer.Option("--top", "-k", min=1, help="Classes to show for each picture.")] = 3,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="json: a line per picture.", show_default=f"table, csv from {TABLE_FILES} files"),
    ] = None,
    as_json: Json = False,
    invert: Annotated[
        bool, typer.Option("--invert", help="Dark on light becomes light on dark, as for digits on white paper.")
    ] = False,
    explain: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save for each picture which pixels decided, as a picture.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Classify pictures: class names with probabilities.

    Each picture is prepared exactly as the training pictures were. One that cannot be read is named on the error
    output, the others are classified, and the exit code is 1. Folders are searched with all their subfolders.
    """
    from cvnlp.serving.loading import load_classifier

    folder = model_folder.find(run, root, half="vision")
    names = [*_expand(pictures)]
    classifier = load_classifier(folder, inverted=invert)
    chosen = Form.JSON if as_json else form or (Form.TABLE if len(names) <= TABLE_FILES else Form.CSV)
    failures = _Failures(chosen)
    answers = failures.without(_with_progress(_answers(classifier, names), len(names)))
    PRINTERS[chosen](_explained(classifier, answers, explain) if explain else answers, top)
    if failures.count:
        raise typer.Exit(1)


def _expand(places: Iterable[str]) -> Iterator[str]:
    """The files of all places: of folders, and of patterns that the shell has not expanded."""
    from cvnlp.vision.serving.classifier import find_pictures

    for place in places:
        matches = [place] if place == STANDARD_INPUT or Path(place).exists() else sorted(glob.glob(place))  # noqa: PTH207
        if not matches and glob.has_magic(place):
            raise ValueError(f"no file matches {place!r}")
        found = [str(path) for path in find_pictures(matches or [place])]
        if not found:
            raise ValueError(f"the folder {place!r} has no files")
        yield from found


def _answers(classifier: "ImageClassifier", names: list[str]) -> "Iterator[Answer]":
    from cvnlp.data.user_files import UnreadableFileError

    if names != [STANDARD_INPUT]:
        yield from classifier.predict_files(names, workers=_workers(names))
        return
    try:
        yield STANDARD_INPUT, classifier.predict(sys.stdin.buffer.read())[0]
    except UnreadableFileError as error:
        yield STANDARD_INPUT, error


def _workers(names: list[str]) -> int:
    """One process for small files: before others had started, they would be decoded."""
    from cvnlp.vision.data.parallel import usable_processors

    size = sum(Path(name).stat().st_size for name in names if Path(name).is_file())
    return usable_processors() if size > PARALLEL_BYTES else 1


def _with_progress(answers: "Iterator[Answer]", count: int) -> "Iterator[Answer]":
    from tqdm import tqdm

    # None: no bar if the error output is not a terminal
    yield from tqdm(answers, total=count, unit=" pictures", leave=False, disable=None if count > TABLE_FILES else True)


class _Failures:
    """Reports the pictures that cannot be read: a line on the error output, of JSON on the standard output."""

    def __init__(self, form: Form) -> None:
        self.form, self.count = form, 0

    def without(self, answers: "Iterator[Answer]") -> "Iterator[tuple[str, Prediction]]":
        """The answers for the other pictures."""
        from cvnlp.data.user_files import UnreadableFileError, printable

        for name, answer in answers:
            if not isinstance(answer, UnreadableFileError):
                yield printable(name), answer
                continue
            self.count += 1
            if self.form == Form.JSON:
                print(json.dumps({"file": printable(name), "error": str(answer)}, ensure_ascii=False))
            else:
                print(f"error: {printable(name)}: {answer}", file=sys.stderr)


def _explained(
    classifier: "ImageClassifier", answers: "Iterable[tuple[str, Prediction]]", folder: Path
) -> "Iterator[tuple[str, Prediction]]":
    """The same answers; for each a picture of the attribution is saved in `folder`."""
    from cvnlp.vision.serving.explanation import save_explanation

    for name, prediction in answers:
        save_explanation(classifier, name, prediction, folder)
        yield name, prediction


def _print_table(answers: "Iterable[tuple[str, Prediction]]", top: int) -> None:
    """A bar for each of the most probable classes."""
    from rich.console import Console
    from rich.table import Table

    table = Table("picture", "class", "probability", "", box=None, header_style="bold", pad_edge=False)
    for name, prediction in answers:
        for rank, (label, probability) in enumerate(prediction.top(top)):
            bar = "█" * round(BAR * probability)
            table.add_row("" if rank else name, label, f"{probability:.1%}", bar, style=None if not rank else "dim")
    if table.row_count:
        Console().print(table)


def _print_csv(answers: "Iterable[tuple[str, Prediction]]", top: int) -> None:
    """The columns file, class, probability, and class_2, probability_2 and so on for the next ones."""
    table, header = csv.writer(sys.stdout, lineterminator="\n"), False
    for name, prediction in answers:
        best = prediction.top(top)
        if not header:
            more = [f"{column}_{rank}" for rank in range(2, len(best) + 1) for column in ("class", "probability")]
            table.writerow(["file", "class", "probability", *more])
            header = True
        table.writerow([name, *(value for label, probability in best for value in (label, f"{probability:.6f}"))])


def _print_json(answers: "Iterable[tuple[str, Prediction]]", top: int) -> None:
    for name, prediction in answers:
        row = {"file": name, "class": prediction.label, "class_id": prediction.index}
        row |= {"probabilities": dict(prediction.top(top))}
        print(json.dumps(row, ensure_ascii=False))


PRINTERS: "dict[Form, Callable[[Iterable[tuple[str, Prediction]], int], None]]" = {
    Form.TABLE: _print_table,
    Form.CSV: _print_csv,
    Form.JSON: _print_json,
}
