"""Write values back to params.yaml: only they change, and every comment and line stays as it is.

The values are replaced in the text, at the places that ruamel.yaml's round-trip reader gives them. Afterwards the file
is read again: if anything else has changed, as with an anchor that another run shares, nothing is written.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.tokens import ScalarToken

from cvnlp import files
from cvnlp.params.tune import index, substitute

Place = tuple[int, int]  # line and column, both from 0


def write_back(path: Path, run: str, values: Mapping[str, Any]) -> None:
    """Replace the values at dotted keys below the run. ValueError if that would change anything else."""
    before = path.read_text(encoding="utf-8")
    after = before
    for key, value in values.items():
        after = _replaced(after, ["runs", run, *key.split(".")], value)
    expected = substitute(_plain(before), {f"runs.{run}.{key}": value for key, value in values.items()})
    if _plain(after) != expected:
        listed = ", ".join(f"{key}: {value!r}" for key, value in values.items())
        raise ValueError(
            f"{path}: runs.{run} shares settings with another block by an anchor (&) and alias (*), so that its values "
            f"cannot be changed alone; write them by hand: {listed}"
        )
    files.write_text(path, after)


def _plain(text: str) -> Any:
    """The content with aliases written out; the text itself if it is no YAML any more."""
    try:
        return _copied(YAML(typ="safe").load(text))
    except YAMLError:
        return text


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _replaced(text: str, steps: Sequence[str], value: Any) -> str:
    """The text with a new value at the key, which is added to its table if it is missing."""
    parent, own, rest = _deepest(YAML().load(text), list(steps))
    inner = substitute(None, {".".join(rest): value}) if rest else value
    if _has(parent, own):
        return _with_new_value(text, _place(parent, own), inner)
    return _with_new_key(text, parent, own, inner)


def _deepest(parent: Any, steps: list[str]) -> tuple[Any, Any, list[str]]:
    """The innermost table or list on the way to a key, the next step from there, and the remaining ones."""
    step, *rest = steps
    own = index(parent, step) if isinstance(parent, CommentedSeq) else step
    if rest and _has(parent, own) and isinstance(parent[own], CommentedMap | CommentedSeq):
        return _deepest(parent[own], rest)
    return parent, own, rest


def _has(parent: Any, own: Any) -> bool:
    """Whether a table or list has an entry of its own, not by a merge key."""
    return own in (parent.lc.data or {}) if isinstance(parent, CommentedMap | CommentedSeq) else False


def _place(parent: Any, own: Any) -> Place:
    found = parent.lc.value(own) if isinstance(parent, CommentedMap) else parent.lc.item(own)
    return int(found[0]), int(found[1])


def _with_new_value(text: str, place: Place, value: Any) -> str:
    """Replace the scalar, list or table that begins at the place."""
    start = _offset(text, place)
    return text[:start] + _yaml(value) + text[_end(text, start) :]


def _offset(text: str, place: Place) -> int:
    return sum(map(len, text.splitlines(keepends=True)[: place[0]])) + place[1]


def _end(text: str, start: int) -> int:
    """The end of the scalar or of the flow collection that begins at `start`."""
    depth = 0
    for token in YAML().scan(text):
        if token.start_mark.index < start:
            continue
        depth += {"FlowSequenceStartToken": 1, "FlowMappingStartToken": 1}.get(type(token).__name__, 0)
        depth -= {"FlowSequenceEndToken": 1, "FlowMappingEndToken": 1}.get(type(token).__name__, 0)
        if depth == 0 and (isinstance(token, ScalarToken) or type(token).__name__.startswith("Flow")):
            return int(token.end_mark.index)
    return len(text)


def _with_new_key(text: str, parent: Any, own: str, value: Any) -> str:
    """Add a key as the first one of a table in block or flow style; one with merge keys alone stays as it is."""
    entry = f"{own}: {_yaml(value)}"
    if parent.fa.flow_style() or not len(parent):  # {} has no style
        start = text.index("{", _offset(text, (parent.lc.line, parent.lc.col))) + 1
        return text[:start] + entry + (", " if len(parent) else "") + text[start:]
    if not parent.lc.data:
        return text
    line, column = min(parent.lc.key(key) for key in parent.lc.data)
    start = _offset(text, (line, column))
    return f"{text[:start]}{entry}\n{' ' * column}{text[start:]}"


def _yaml(value: Any) -> str:
    """A value in flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):
        return f"{value:.6g}" if float(f"{value:.6g}") == value else repr(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
