"""The README of an exported model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cvnlp import files
from cvnlp.export.portable import Description, Portable
from cvnlp.report.markdown import escape_code

MOST_CLASSES = 100  # that are listed


@dataclass(frozen=True)
class Origin:
    """`name` of the model, `network`: its kind; `data`: what is known of the data that it was trained on."""

    name: str
    network: str
    parameters: int
    data: str


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    sha256: str


def write_readme(
    folder: Path, origin: Origin, description: Description, form: str, *, portable: Portable | None
) -> None:
    """Write README.md, with the checksums of all other files of the folder; `portable`: of a file with tensors in."""
    text = _template().render(
        **vars(origin),
        description=description,
        form=form,
        inputs=portable.inputs if portable else [],
        outputs=portable.outputs if portable else [],
        code=description.code[form],
        most=MOST_CLASSES,
        files=_listed(sorted(folder.iterdir())),
    )
    files.write_text(folder / "README.md", text)


def _template() -> Template:
    environment = Environment(  # noqa: S701  Markdown, not HTML
        loader=PackageLoader("cvnlp.export"), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
    )
    environment.filters |= {"escape_code": escape_code}
    return environment.get_template("README.md.j2")


def _listed(paths: Sequence[Path]) -> list[_File]:
    return [_File(path.name, path.stat().st_size, files.sha256(path)) for path in paths]
