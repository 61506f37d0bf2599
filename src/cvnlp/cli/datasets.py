"""`cvnlp datasets`: the published data sets that params.yaml can use."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cvnlp.catalogue import SOURCES, File, Source, format_bytes


def datasets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help=f"One of {', '.join(SOURCES)}.")] = None,
) -> None:
    """List the published data sets, or show one.

    The data sets that params.yaml can use as `source`. With NAME: its files, checksums, URLs, licence and citation, and
    a block to paste into params.yaml. `dvc repro` downloads the data sets in params.yaml: from data/raw/<source>/, else
    from $CVNLP_MIRROR (a folder or an http(s) URL with the files as <source>/<file>, gzipped or not), else from their
    URLs. Proxies: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
    """
    if name is not None and name not in SOURCES:
        raise ValueError(f"{name!r} is not a published data set; choose from {', '.join(SOURCES)}")
    print(_table() if name is None else _details(name, SOURCES[name]))


def _table() -> str:
    from tabulate import tabulate

    rows = [
        {
            "name": name,
            "domain": source.domain,
            "title": source.title,
            "size": format_bytes(source.size),
            "official splits": _or_none(source.official_splits),
            "licence": source.licence,
        }
        for name, source in SOURCES.items()
    ]
    return tabulate(rows, headers="keys", tablefmt="simple", colalign=("left", "left", "left", "right"))


def _details(name: str, source: Source) -> str:
    facts = {
        "name": name,
        "domain": source.domain,
        "title": source.title,
        "size": format_bytes(source.size),
        "official splits": f"{_or_none(source.official_splits)} (fixed by the authors; the others are drawn)",
        "licence": source.licence,
        "citation": source.citation,
        "homepage": source.homepage,
    }
    lines = [f"{key + ':':17}{value}" for key, value in facts.items()]
    lines += ["", "files (size and SHA-256 of the content, decompressed):"]
    lines += [line for file in source.files for line in _file(file)]
    return "\n".join([*lines, "", "block for params.yaml:", *_block(name, source)])


def _file(file: File) -> list[str]:
    members = [
        f"    contains {name}" + (f" {digest}" if digest else "") for name, digest in (file.members or {}).items()
    ]
    return [
        f"  {file.name} ({format_bytes(file.size)}: {file.size:,} bytes)",
        f"    {file.sha256}",
        *(f"    from {place}" for place in file.origins),
        *members,
    ]


def _block(name: str, source: Source) -> list[str]:
    options: dict[str, str | int | float | list[str]] = {
        "domain": source.domain,
        "source": name,
        "seed": 1,
        **source.example_options,
    }
    return ["datasets:", f"  {name}:", *(f"    {key}: {_yaml(value)}" for key, value in options.items())]


def _yaml(value: str | int | float | list[str]) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _or_none(splits: Sequence[str]) -> str:
    return ", ".join(splits) or "none"
