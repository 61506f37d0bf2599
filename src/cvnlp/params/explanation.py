"""pydantic's errors in the words of params.yaml: the full key, what is wrong, and the valid choices."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

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


def _fields(form: Any, location: tuple[int | str, ...]) -> Iterable[str]:
    """The keys of the model that pydantic's location leads to, from the model `form`."""
    for step in location:
        if isinstance(form, type) and issubclass(form, BaseModel):
            form = form.model_fields[str(step)].annotation
        elif get_origin(form) is dict:
            form = get_args(form)[1]
        else:  # a union told apart by `domain`
            members = get_args(get_args(form)[0])
            form = next(member for member in members if step in get_args(member.model_fields["domain"].annotation))
    return form.model_fields


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
