"""Tables that scripts write into documents, between the lines `<!-- NAME -->` and `<!-- end of NAME -->`."""

import re
from pathlib import Path

from cvnlp import files


def write_section(document: Path, name: str, text: str) -> None:
    """ValueError if the document has no such section."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    content = document.read_text(encoding="utf-8")
    found, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", content, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{document} needs the lines {begin} and {end}, once")
    files.write_text(document, found)
