"""The command `cvnlp`: what people ask of the project outside the pipeline."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from cvnlp.sources.catalogue import SOURCES, File, Source, origins_of, readable


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; bad input ends the process with exit code 1 and one line."""
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        print(command(**options))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def datasets(name: str | None = None) -> str:
    """The table of published data sets, or all that is known of one."""
    if name is None:
        return _table()
    if name not in SOURCES:
        raise ValueError(f"{name!r} is no published data set; choose from {', '.join(SOURCES)}")
    return _details(name, SOURCES[name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cvnlp", description="Image classifiers and language models as one pipeline.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser(
        "datasets",
        help="list the published data sets, or show one",
        description="List the published data sets that params.yaml can name as `source`. With NAME: its files, "
        "checksums, URLs, licence and citation, and a block for params.yaml to begin with. `dvc repro` fetches what a "
        "block names.",
        epilog="Files are looked for in data/raw/<source>/, then in $CVNLP_MIRROR (a folder or an http(s) URL with the "
        "files as <source>/<file>, gzipped or not), then at their URLs. Proxies: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.",
    )
    listing.add_argument("name", nargs="?", metavar="NAME", help=f"one of {', '.join(SOURCES)}")
    listing.set_defaults(command=datasets)
    return parser


def _table() -> str:
    rows = [
        {
            "name": name,
            "domain": source.domain,
            "title": source.title,
            "size": readable(source.size),
            "splits given": _or_none(source.held_out),
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
        "size": readable(source.size),
        "splits given": f"{_or_none(source.held_out)} (upstream fixes them; the others are drawn)",
        "licence": source.licence,
        "citation": source.citation,
        "homepage": source.homepage,
    }
    lines = [f"{key + ':':14}{value}" for key, value in facts.items()]
    lines += ["", "files (size and SHA-256 of the content, gzip undone):"]
    lines += [line for file in source.files for line in _file(file)]
    return "\n".join([*lines, "", "block for params.yaml:", *_block(name, source)])


def _file(file: File) -> list[str]:
    members = [f"    holds {name}" + (f" {digest}" if digest else "") for name, digest in (file.members or {}).items()]
    return [
        f"  {file.name} ({readable(file.size)}: {file.size:,} bytes)",
        f"    {file.sha256}",
        *(f"    from {place}" for place in origins_of(file)),
        *members,
    ]


def _block(name: str, source: Source) -> list[str]:
    options = {"domain": source.domain, "source": name, "seed": 1, **source.example}
    return ["datasets:", f"  {name}:", *(f"    {key}: {_yaml(value)}" for key, value in options.items())]


def _yaml(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _or_none(splits: Sequence[str]) -> str:
    return ", ".join(splits) or "none"


if __name__ == "__main__":
    main()
