"""The JSON Schema of params.yaml, with which editors complete keys, show their meaning and mark mistakes.

It has all that concerns a single key. Contradictions between keys are found by `cvnlp check`.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from cvnlp.catalogue import SOURCES
from cvnlp.params import Params
from cvnlp.reference.descriptions import describe, models_in

Schema = dict[str, Any]
DRAFT = "http://json-schema.org/draft-07/schema#"  # the newest that all editors support
FRACTION = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
NULL = {"type": "null"}
# what pydantic cannot see in the functions that check these keys
HELD_OUT: dict[str, list[Schema]] = {
    "vision": [{"type": "integer", "exclusiveMinimum": 0}, FRACTION, NULL],
    "language": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, FRACTION, NULL],
}
DROPOUT = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}


def params_schema() -> Schema:
    """The schema as an object for JSON."""
    schema = Params.model_json_schema()
    for form in all_models(Params):
        _complete(schema["$defs"].get(form.__name__, schema), form)
    content: Schema = _for_editors(schema)
    return {"$schema": DRAFT, "title": "params.yaml", **content}


def all_models(form: type[BaseModel]) -> list[type[BaseModel]]:
    """A block and all blocks within it, each once, in the order of the file."""
    found = {form: None}
    for field in form.model_fields.values():
        for inner in models_in(field.annotation):
            found |= dict.fromkeys(all_models(inner))
    return list(found)


def _complete(block: Schema, form: type[BaseModel]) -> None:
    """Add to the schema of a block the meaning of each key, and the values that only functions check."""
    for key, value in block["properties"].items():
        value["description"] = describe(form, key)
        if isinstance(value.get("default"), dict):  # editors would insert all of its keys
            del value["default"]
    domain = block["properties"].get("domain", {}).get("const", "")
    if "validation" in block["properties"]:
        for split in ("validation", "test"):
            block["properties"][split]["anyOf"] = HELD_OUT[domain]
    if "source" in block["properties"]:
        block["properties"]["source"]["enum"] = [name for name, one in SOURCES.items() if one.domain == domain]
    if "anyOf" in block["properties"].get("dropout", {}):
        block["properties"]["dropout"]["anyOf"][0] = DROPOUT


def _for_editors(node: Any) -> Any:
    """Without titles, and with a choice by key in place of every union, so that only one member applies."""
    if isinstance(node, list):
        return [_for_editors(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "discriminator" in node:
        node = _choice(node)
    kept = {key: _for_editors(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    if "description" in kept:
        kept["description"] = _as_paragraphs(kept["description"])
    return kept


def _choice(union: Schema) -> Schema:
    """`if name is cnn then CnnOptions`, in place of `one of these`: editors then complete and check only its keys."""
    key, members = union["discriminator"]["propertyName"], union["discriminator"]["mapping"]
    rest = {name: value for name, value in union.items() if name not in ("discriminator", "oneOf")}
    return {
        **rest,
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": list(members)}},
        "allOf": list(_cases(key, members)),
    }


def _cases(key: str, members: dict[str, str]) -> Iterator[Schema]:
    for value, place in members.items():
        yield {"if": {"required": [key], "properties": {key: {"const": value}}}, "then": {"$ref": place}}


def _as_paragraphs(text: Any) -> Any:
    """A docstring with each paragraph as one line, and without backticks, which editors show as they are."""
    if not isinstance(text, str):
        return text
    return "\n\n".join(" ".join(part.split()) for part in text.replace("`", "").split("\n\n"))
