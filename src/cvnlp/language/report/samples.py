"""What the report shows of the texts that a language model writes, and of what it copied. Imports no torch."""

from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import files
from cvnlp.language.report.run import quoted


def show_samples(details: Path) -> list[str]:
    """A text for every temperature, and the longest spans that stand in the training text."""
    found = files.read_json(details / "samples.json")
    real = found.pop("validation")
    written = {f"temperature {name}": row for name, row in sorted(found.items(), key=lambda item: float(item[0]))}
    lines = []
    for name, row in written.items():
        lines += [f"Written at {name}:", "", *quoted(row["text"])]
    return [
        *lines,
        "The longest span of tokens that stands in the training text word for word, of texts that it wrote and of as "
        "long pieces of the validation text, which can only agree with it by chance:",
        "",
        _copies(written | {"validation text": real}).to_markdown(index=False, disable_numparse=True),
        "",
    ]


def _copies(rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "text": name,
            "tokens (median of the texts)": f"{row['median']:g}",
            "longest": f"{row['longest']}",
            "which reads": f"`{_on_one_line(row['copied'])}`" if row["copied"] else "",
        }
        for name, row in rows.items()
    )


def _on_one_line(text: str) -> str:
    """As a cell of a table can show it."""
    return "".join({"\n": " / ", "`": "'", "|": "/"}.get(letter, letter) for letter in text)
