"""pydantic's errors in the words of params.yaml: the full key, what is wrong, and the valid choices."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


def explain(path: Path, error: ValidationError, raw: Any, form: Any, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """A line for each of pydantic's errors, in the words of the file."""
    for details in error.errors():
        place = [*prefix, *_steps(details["loc"], raw)]
        message, given = details["msg"].removeprefix("Value error, "), details["input"]
        if details["type"] == "extra_forbidden":
            message = f"unknown key; valid keys: {', '.join(sorted(_fields(form, details['loc'][:-1])))}"
        if "discriminator" in details.get("ctx", {}):
            place.append("domain")
            message, given = "must be 'vision' or 'language'", details["ctx"].get("tag")
        said = details["type"] not in ("extra_forbidden", "missing", "union_tag_not_found")
        key = f"{path}: {'.'.join(place)}" if place else str(path)
        yield f"{key}: {message}{f' (given: {_short(given)})' if said else ''}"


def _steps(location: tuple[int | str, ...], raw: Any) -> Iterator[str]:
    """The keys of the file in pydantic's location, which also names the branches of unions."""
    for number, step in enumerate(location):
        known = isinstance(raw, dict) and step in raw
        inner = number < len(location) - 1  # only the last step may be a key that the file lacks
        if isinstance(raw, dict) and not known and (inner or step == "[key]"):
            continue
        yield str(step)
        raw = raw[step] if known or isinstance(raw, list) else None


def _fields(form: Any, location: tuple[int | str, ...]) -> set[str]:
    """The keys of the model that pydantic's location leads to, from the model `form`."""
    forms = list(_members(form))
    for step in location:
        forms = [member for each in forms for found in _within(each, step) for member in _members(found)]
    return {key for each in forms if _is_model(each) for key in each.model_fields}


def _members(form: Any) -> Iterator[Any]:
    """The types of a union, such as a block that may be null; any other type itself. Annotations are left out."""
    if get_origin(form) in (Annotated, Union, UnionType):
        inner = get_args(form)[:1] if get_origin(form) is Annotated else get_args(form)
        yield from (member for each in inner for member in _members(each))
    else:
        yield form


def _within(form: Any, step: int | str) -> Iterator[Any]:
    """What stands at the key or place `step`; a step may also name the member of a union, by its domain."""
    if _is_model(form) and step in form.model_fields:
        yield form.model_fields[step].annotation
    elif _is_model(form) and "domain" in form.model_fields:
        yield from [form] if step in get_args(form.model_fields["domain"].annotation) else []
    elif get_origin(form) in (dict, list):
        yield get_args(form)[-1]


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
