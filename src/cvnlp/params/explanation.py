"""pydantic's errors as lines about the file: the key's full path, what is wrong, the value, and the valid choices."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

DISCRIMINATORS = ("domain", "name")  # the keys that select a member of a union
BOUNDS = ("gt", "ge", "lt", "le")
OUT_OF_RANGE = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")
# block -> former key -> today's
RENAMED: dict[str, dict[str, str]] = {
    "attack": {"flips": "examples"},
    "cache": {"flatness": "sharpness"},
    "insight": {
        "attributed": "attribution_images",
        "gradients": "gradient_images",
        "images": "patch_images",
        "moves": "equivariance_shifts",
        "pairs": "confused_pairs",
        "picture": "feature_map_image",
        "pictures": "validation_images",
        "reading_overlap": "nms_iou",
        "reading_score": "detection_threshold",
        "reading_shown": "canvases_shown",
        "shown": "images_per_pair",
        "steps": "attribution_steps",
        "tracked": "state_tokens",
        "worst_pictures": "worst_case_images",
        "worst_rotation": "max_rotation",
        "worst_rotations": "rotation_steps",
        "worst_shift": "max_shift",
        "worst_shifts": "shift_steps",
    },
    "model": {"scale": "logit_scale"},
}


def explain(path: Path, error: ValidationError, raw: Any, form: Any) -> Iterator[str]:
    """A line for each error that `form`, a model or a union of models, finds in `raw`, the content of `path`."""
    for details in error.errors():
        place, location = list(_steps(details["loc"], raw)), details["loc"]
        if details["type"] == "extra_forbidden":
            message = _unknown_key(place, _keys(form, location[:-1]))
        elif details["type"] == "missing":
            message = "missing key"
        elif "discriminator" in details.get("ctx", {}):
            place.append(details["ctx"]["discriminator"].strip("'"))
            wrong = f"{_short(details['ctx']['tag'])} is unknown" if "tag" in details["ctx"] else "missing key"
            message = f"{wrong}; valid choices: {_listed(_choices(form, location, place[-1]))}"
        else:
            message = _wrong_value(details["type"], details["msg"], details["input"], form, location)
        yield f"{path}: {'.'.join(place)}: {message}" if place else f"{path}: {message}"


def _wrong_value(kind: str, message: str, value: Any, form: Any, location: tuple[int | str, ...]) -> str:
    """What is wrong with a value, by the kind and message of pydantic's error."""
    if kind == "string_type" and not isinstance(value, dict | list):
        return f"the value {is_no_text(value)}"
    wrong = message.removeprefix("Value error, ").replace("Input should be", "must be", 1)
    if kind in OUT_OF_RANGE:
        wrong = f"must be {_range(form, location)}"
    elif kind == "list_type":
        wrong = f"must be {_list(form, location, value)}"
    elif kind == "string_pattern_mismatch":
        wrong = "a name consists of letters from a to z, digits and _"
    return f"{wrong} (given: {_short(value)})"


def _unknown_key(place: list[str], valid: set[str]) -> str:
    """The new name of a key that was renamed, or all valid keys."""
    block, key = ["", *place][-2:]
    new = RENAMED.get(block, {}).get(key)
    return f"unknown key; renamed to {new}" if new in valid else f"unknown key; valid keys: {_listed(valid)}"


def _steps(location: tuple[int | str, ...], raw: Any) -> Iterator[str]:
    """The keys of the file in pydantic's location, which also contains the selected members of unions."""
    for number, step in enumerate(location):
        known = isinstance(raw, dict) and step in raw
        inner = number < len(location) - 1  # only the last step may be a key that the file lacks
        selected = isinstance(raw, dict) and step in [raw.get(key) for key in DISCRIMINATORS]
        if isinstance(raw, dict) and not known and (inner or step == "[key]" or selected):
            continue
        yield str(step)
        known = known or (isinstance(raw, list) and isinstance(step, int) and step < len(raw))
        raw = raw[step] if known else None


def _keys(form: Any, location: tuple[int | str, ...]) -> set[str]:
    return {key for model in _models_at(form, location) for key in model.model_fields}


def _choices(form: Any, location: tuple[int | str, ...], discriminator: str) -> set[str]:
    """The values of `discriminator` in the union at `location`."""
    models = _models_at(form, location)
    return {choice for model in models for choice in get_args(model.model_fields[discriminator].annotation)}


def _range(form: Any, location: tuple[int | str, ...]) -> str:
    """The bounds of the number at `location` in words, such as "from 0 to below 1"."""
    bounds = dict(bound for each in _types_at(form, location) for bound in _bounds(each))
    lower = f"above {bounds['gt']}" if "gt" in bounds else f"from {bounds['ge']}" if "ge" in bounds else ""
    upper = f"below {bounds['lt']}" if "lt" in bounds else f"{bounds['le']}" if "le" in bounds else ""
    if not upper:
        return lower.replace("from", "at least")
    return f"{lower} {'to' if 'ge' in bounds else 'and'} {upper}" if lower else upper


ITEMS = {float: ("numbers", "0.1"), int: ("integers", "8"), str: ("names", "name")}


def _list(form: Any, location: tuple[int | str, ...], given: Any) -> str:
    """The form of the list at `location` in words, with `given` or another item as an example."""
    inner = {member for each in _types_at(form, (*location, 0)) for member in _members(each)}
    items, example = next((ITEMS[kind] for kind in ITEMS if kind in inner), ("blocks", "{...}"))
    item = str(given) if isinstance(given, str | int | float) and items != "blocks" else example
    limits = _range(form, (*location, 0))
    return f"a list of {items}{limits and f' {limits}'}, such as [{item}]"


def _bounds(form: Any) -> Iterator[tuple[str, float]]:
    """The bounds in the annotations of `form` and of its members, by the names that pydantic gives them."""
    if get_origin(form) is Annotated:
        for mark in form.__metadata__:
            marks = mark.metadata if isinstance(mark, FieldInfo) else [mark]
            yield from ((name, getattr(one, name)) for one in marks for name in BOUNDS if hasattr(one, name))
    if get_origin(form) in (Annotated, Union, UnionType):
        yield from (bound for member in get_args(form) for bound in _bounds(member))


def _models_at(form: Any, location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models to which pydantic's location leads from `form`; several where it leads to a union."""
    return [member for each in _types_at(form, location) for member in _members(each) if _is_model(member)]


def _types_at(form: Any, location: tuple[int | str, ...]) -> list[Any]:
    types = [form]
    for step in location:
        types = [inner for each in types for member in _members(each) for inner in _inside(member, step)]
    return types


def _members(form: Any) -> Iterator[Any]:
    """The types of a union, such as a block that may be null; any other type itself. Annotations are left out."""
    if get_origin(form) in (Annotated, Union, UnionType):
        inner = get_args(form)[:1] if get_origin(form) is Annotated else get_args(form)
        yield from (member for each in inner for member in _members(each))
    else:
        yield form


def _inside(form: Any, step: int | str) -> Iterator[Any]:
    """The type at the key or index `step`; a step may also select the member of a union by its discriminator."""
    if _is_model(form) and step in form.model_fields:
        field = form.model_fields[step]
        yield Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    elif _is_model(form):
        tags = [form.model_fields[key].annotation for key in DISCRIMINATORS if key in form.model_fields]
        yield from [form] if any(step in get_args(tag) for tag in tags) else []
    elif get_origin(form) in (dict, list):
        yield get_args(form)[-1]


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def is_no_text(value: Any) -> str:
    """What YAML makes of a value without quotation marks."""
    kind = "null" if value is None else f"a {type(value).__name__}"
    if isinstance(value, bool):
        kind = f"the boolean {str(value).lower()}"
    elif isinstance(value, int | float):
        kind = f"the number {value}"
    return f"is {kind} for YAML, and no text; put it in quotation marks"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
