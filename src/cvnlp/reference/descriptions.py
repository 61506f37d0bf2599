"""What each key of params.yaml means: the sentences about it in the docstring of its block, or in FURTHER."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from cvnlp.params.base import Strict

SENTENCE_END = re.compile(r"(?<=\.)\s+(?=[A-Z`])")
# Class or "" for any, and key -> description, where no docstring has one
FURTHER: dict[tuple[str, str], str] = {
    ("", "activation"): "Activation function.",
    ("", "batch_size"): "Images per step.",
    ("", "domain"): "The half of the project: vision for images, language for text.",
    ("", "lowercase"): "Whether upper-case letters become lower-case ones.",
    ("", "embedding_size"): "Numbers that represent a token.",
    ("", "layers"): "Recurrent layers, each on the outputs of the one before.",
    ("", "label_smoothing"): "Fraction of the target probability that is spread over all classes.",
    ("", "restarts"): "How often the attack is repeated from other random points; the worst result counts.",
    ("", "steps"): "Steps of the attack.",
    ("", "targets"): "Wrong classes that are attacked in turn, the most probable ones.",
    ("", "weight_decay"): "Decoupled weight decay, a fraction of lr per step.",
    ("AlexNetOptions", "form"): "imagenet as published, for large images; or small.",
    ("Block", "filters"): "Filters of the convolution: the number of its feature maps.",
    ("Block", "kernel_size"): "Height and width of the filters.",
    ("Block", "dilation"): "Distance of the pixels under the filter; 1 are neighbours.",
    ("Block", "batch_norm"): "Batch normalisation between convolution and activation.",
    ("Block", "dropout"): "Dropout rate of whole feature maps after pooling.",
    ("Adversarial", "method"): "How the training images are perturbed.",
    ("Adversarial", "norm"): "The norm in which a perturbation has at most the length eps.",
    ("Corruptions", "names"): "The corruptions to apply; all by default.",
    ("Optimiser", "name"): "The optimiser.",
}


def describe(form: type[BaseModel], key: str) -> str:
    """What `key` of the block `form` means, in one or more sentences; "" if nothing is known."""
    about = [sentence for sentence in _sentences(form) if re.search(rf"`{key}(: [^`]*)?`", sentence)]
    known = " ".join(about) or FURTHER.get((form.__name__, key)) or FURTHER.get(("", key), "")
    text = known.removeprefix(f"`{key}`: ") or _of_value(form, key)
    return text[:1].upper() + text[1:]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The blocks in the type of a key: itself, members of a union, or items of a list or table."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def summary(form: type[BaseModel]) -> str:
    """The first sentence of the docstring of a block itself; "" without one."""
    return SENTENCE_END.split(" ".join((form.__doc__ or "").split("\n\n")[0].split()))[0]


def _of_value(form: type[BaseModel], key: str) -> str:
    """The summary of the block that is the value of `key`, or what selects one of several."""
    if key == "name":
        return summary(form)
    blocks = list(models_in(form.model_fields[key].annotation))
    if len(blocks) > 1:
        return f"The network, selected by its name, and its options: {_names(blocks)}."
    return summary(blocks[0]) if blocks else ""


def _names(blocks: list[type[BaseModel]]) -> str:
    return ", ".join(block.model_fields["name"].default for block in blocks)


def _sentences(form: type[BaseModel]) -> Iterator[str]:
    """Of the docstrings of a block and the blocks that it inherits from."""
    for one in form.__mro__[: form.__mro__.index(Strict)]:
        for paragraph in inspect.cleandoc(one.__doc__ or "").split("\n\n"):
            yield from SENTENCE_END.split(" ".join(paragraph.split()))
