"""The reference of params.yaml in Markdown: a section per block, a row per key, from the typed models."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cvnlp.params import Params
from cvnlp.reference.descriptions import describe, models_in
from cvnlp.reference.schema import Schema, all_models, params_schema

HEAD = """\
# Keys of params.yaml

Every key with its values, default and meaning, made from the classes of `src/cvnlp/params/` when this site is built. A
wrong key or value stops the first stage, and `cvnlp check` finds it before. Contradictions between keys are described
in the text above each table. [Editors](../editors.md) complete these keys.
"""
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}


def params_page() -> str:
    """The page: first the tables of the file, then every block in the order in which keys refer to it."""
    schema = params_schema()
    parts = [HEAD]
    for form in all_models(Params):
        parts.append(f"\n## {title(form)}\n")
        parts.append(_text(form))
        rows = [_row(form, key, field, schema) for key, field in form.model_fields.items()]
        parts.append("| key | values | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) if rows else "")
    return "\n".join(parts)


def title(form: type[BaseModel]) -> str:
    """The heading of a block: `model: lstm` for a network, otherwise the name of its class in words."""
    if form is Params:
        return "The file"
    name = form.model_fields["name"].default if "name" in form.model_fields else None
    if isinstance(name, str):
        return f"model: {name}"
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in form.__name__).strip()
    return words.removesuffix(" options")


def _text(form: type[BaseModel]) -> str:
    """The docstrings of a block and of those that it inherits from, as paragraphs."""
    parents = form.__mro__[: [one.__module__.startswith("cvnlp") for one in form.__mro__].index(False)]
    return "\n".join(_paragraphs(one.__doc__ or "") for one in parents if one.__name__ != "Strict")


def _paragraphs(docstring: str) -> str:
    return "".join(" ".join(part.split()) + "\n\n" for part in docstring.split("\n\n") if part.strip())


def _row(form: type[BaseModel], key: str, field: FieldInfo, schema: Schema) -> str:
    block = schema["$defs"].get(form.__name__, schema)["properties"][key]
    cells = (f"`{key}`", _values(block, field), _default(field), describe(form, key))
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def _values(block: Schema, field: FieldInfo) -> str:
    """Types and ranges in words, and links to the blocks."""
    blocks = list(dict.fromkeys(models_in(field.annotation)))
    links = ", ".join(f"[{title(one)}](#{anchor(one)})" for one in blocks)
    return " or ".join(dict.fromkeys([one for one in (links, *_types(block)) if one]))


def anchor(form: type[BaseModel]) -> str:
    """Of the section of a block, as GitHub and the site form it from its heading."""
    return title(form).replace(":", "").replace(" ", "-")


def _types(block: Schema) -> Iterator[str]:
    """One text per alternative, without those that are blocks."""
    if "anyOf" in block:
        for one in block["anyOf"]:
            yield from _types(one)
    elif "enum" in block:
        yield ", ".join(f"`{_yaml(value)}`" for value in block["enum"])
    elif "const" in block:
        yield f"`{block['const']}`"
    elif block.get("type") == "array":
        items = " or ".join(_types(block["items"]))
        yield f"list of {items}" if items else ""
    elif block.get("type") == "boolean":
        yield "`true`, `false`"
    elif block.get("type") == "object" or "$ref" in block or "allOf" in block:
        yield ""
    else:
        bounds = [text.format(block[key]) for key, text in BOUNDS.items() if key in block]
        yield " ".join([str(block.get("type", "")), ", ".join(bounds)]).strip()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return f"`{_yaml(field.get_default(call_default_factory=True))}`"


def _yaml(value: Any) -> str:
    """A value as params.yaml writes it; of a block only the keys that differ from their own defaults."""
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, BaseModel):
        return f"{{{', '.join(f'{key}: {_yaml(getattr(value, key))}' for key in sorted(value.model_fields_set))}}}"
    if isinstance(value, str):
        return json.dumps(value) if value.isdigit() else value
    return json.dumps(value)
