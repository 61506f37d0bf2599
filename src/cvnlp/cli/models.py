"""`cvnlp models`: the networks that params.yaml can name, with their options."""

import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cvnlp.cli.options import Json

if TYPE_CHECKING:
    from cvnlp.params.base import Strict

Schema = Mapping[str, Any]  # JSON Schema of one option
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
TYPES = {"boolean": "true or false", "integer": "integer", "number": "number", "string": "text", "null": "null"}


def models(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A network, such as cnn.")] = None,
    as_json: Json = False,
) -> None:
    """List the networks that params.yaml can train, or the options of one: types, ranges and defaults."""
    kinds = _kinds()
    if name is not None and name not in kinds:
        raise ValueError(f"{name!r} is not a network; choose from {', '.join(kinds)}")
    if as_json:
        chosen = kinds if name is None else {name: kinds[name]}
        print(json.dumps({key: form.model_json_schema() for key, (_, form) in chosen.items()}, indent=1))
    else:
        print(_table(kinds) if name is None else _details(*kinds[name]))


def _kinds() -> "dict[str, tuple[str, type[Strict]]]":
    """Name -> its half and the class of its options."""
    from cvnlp.params.language_networks import LanguageNetwork
    from cvnlp.params.vision_networks import VisionNetwork

    unions = {"vision": VisionNetwork, "language": LanguageNetwork}
    forms = [(half, form) for half, union in unions.items() for form in get_args(get_args(union)[0])]
    return {form.model_fields["name"].default: (half, form) for half, form in forms}


def _table(kinds: "Mapping[str, tuple[str, type[Strict]]]") -> str:
    from tabulate import tabulate

    rows = [
        {
            "name": name,
            "domain": half,
            "network": _summary(form),
            "options": ", ".join(key for key in form.model_fields if key != "name"),
        }
        for name, (half, form) in kinds.items()
    ]
    return tabulate(rows, headers="keys", maxcolwidths=[None, None, 44, 50])


def _summary(form: "type[Strict]") -> str:
    return (inspect.getdoc(form) or "").split("\n\n")[0].split("\n")[0].rstrip(".;")


def _details(half: str, form: "type[Strict]") -> str:
    """The options of a network and of the blocks within them, and their description."""
    from tabulate import tabulate

    from cvnlp.params.base import Strict

    schema = form.model_json_schema()
    described = [inspect.getdoc(one) or "" for one in form.__mro__[: form.__mro__.index(Strict)]]
    parts = [f"{schema['properties']['name']['const']} ({half})", *described]
    for title, one in [("", schema), *schema.get("$defs", {}).items()]:
        rows = [
            {
                "option": key,
                "values": describe(value),
                "default": json.dumps(value["default"]) if "default" in value else "required",
            }
            for key, value in one.get("properties", {}).items()
            if key != "name"
        ]
        heading = [f"{title}\n\n{one.get('description', '')}"] if title else []
        parts += [*heading, tabulate(rows, headers="keys", maxcolwidths=[None, 60, 40]) if rows else "no options"]
    return "\n\n".join(parts)


def describe(schema: Schema) -> str:
    """The type and range of an option in words, such as "number at least 0 and below 1"."""
    if "anyOf" in schema:
        return " or ".join(describe(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {describe(schema['items']).replace('integer', 'integers').replace('number', 'numbers')}"
    bounds = [text.format(f"{schema[key]:g}") for key, text in BOUNDS.items() if key in schema]
    return " ".join([TYPES.get(schema.get("type", ""), "value"), " and ".join(bounds)]).strip()
