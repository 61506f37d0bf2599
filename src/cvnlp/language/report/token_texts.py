"""Texts as tokens with numbers, from the files of the stages. Imports no torch."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cvnlp import files
from cvnlp.report.elements import TokenText, TokenValues


@dataclass(frozen=True)
class Tokens:
    """A text as tokens; `token_kind` is "characters" or "words", `line_end` the token that ends a line."""

    tokens: list[str]
    token_kind: str
    line_end: str

    def element(self, title: str, caption: str, quantities: tuple[TokenValues, ...]) -> TokenText:
        """The text with numbers of its tokens."""
        separator = "" if self.token_kind == "characters" else " "
        return TokenText(title, caption, tuple(self.tokens), quantities, separator, self.line_end)


def read_tokens(path: Path) -> tuple[Tokens, dict[str, Any]]:
    """A text of tokens from a JSON file, and what else the file holds, such as numbers of its tokens."""
    found = files.read_json(path)
    return Tokens(*(found.pop(field.name) for field in fields(Tokens))), found


def visible(token: str) -> str:
    """The token, or the name of white space."""
    return {" ": "space", "\n": "line end", "\t": "tab"}.get(token, token)
