"""pydantic's errors as lines about the file: the key's full path, what is wrong, the value, and the valid choices."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

DISCRIMINATORS = ("domain", "name")  # the keys that select a member of a union
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
            said = details["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
            message = f"{said} (given: {_short(details['input'])})"
        yield f"{path}: {'.'.join(place)}: {message}" if place else f"{path}: {message}"


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
        raw = raw[step] if known or isinstance(raw, list) else None


def _keys(form: Any, location: tuple[int | str, ...]) -> set[str]:
    return {key for model in _models_at(form, location) for key in model.model_fields}


def _choices(form: Any, location: tuple[int | str, ...], discriminator: str) -> set[str]:
    """The values of `discriminator` in the union at `location`."""
    models = _models_at(form, location)
    return {choice for model in models for choice in get_args(model.model_fields[discriminator].annotation)}


def _models_at(form: Any, location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models to which pydantic's location leads from `form`; several where it leads to a union."""
    forms = list(_members(form))
    for step in location:
        forms = [member for each in forms for inner in _inside(each, step) for member in _members(inner)]
    return [each for each in forms if _is_model(each)]


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
        yield form.model_fields[step].annotation
    elif _is_model(form):
        tags = [form.model_fields[key].annotation for key in DISCRIMINATORS if key in form.model_fields]
        yield from [form] if any(step in get_args(tag) for tag in tags) else []
    elif get_origin(form) in (dict, list):
        yield get_args(form)[-1]


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
