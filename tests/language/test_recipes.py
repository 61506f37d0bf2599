"""The recipes of docs/language.md are what params.yaml accepts."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from cvnlp.params.language_networks import LanguageNetwork
from cvnlp.params.runs import LanguageTrain

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/language.md").read_text(encoding="utf-8"), re.DOTALL)
RECIPES: list[dict[str, Any]] = [YAML(typ="safe").load(block) for block in BLOCKS]
NETWORKS: TypeAdapter[Any] = TypeAdapter(LanguageNetwork)


def test_there_are_recipes_for_characters_and_for_words() -> None:
    assert {recipe["train"]["optimiser"]["name"] for recipe in RECIPES} == {"adamw", "sgd"}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_accepted(recipe: dict[str, Any]) -> None:
    LanguageTrain.model_validate(recipe["train"])
    if "model" in recipe:
        NETWORKS.validate_python(recipe["model"])
