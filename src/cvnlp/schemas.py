"""What each network accepts, read from its source text: importing torch only to refuse a misspelt key takes seconds.

A network's constructor takes what the data decides before the `*`, and what params.yaml decides, its options, after
it; with `**options` those of the class that it inherits from, too. The annotations of the options are names of
`cvnlp.params.option_types`, which say the ranges.
"""

import ast
from pathlib import Path
from typing import Any

from pydantic import BaseModel, create_model

from cvnlp.params import option_types as options
from cvnlp.params.base import Strict


def network_schemas(source: Path) -> dict[str, type[BaseModel]]:
    """A pydantic form of the options of every network in the table MODELS of the module or package `source`."""
    files = sorted(source.glob("*.py")) if source.is_dir() else [source]
    statements = [node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body]
    classes = {node.name: node for node in statements if isinstance(node, ast.ClassDef)}
    return {name: _schema(class_name, classes) for name, class_name in _table(statements).items()}


def _table(statements: list[ast.stmt]) -> dict[str, str]:
    for node in statements:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "MODELS" for target in targets):
            table: Any = node.value  # type: ignore[attr-defined]
            return {key.value: value.id for key, value in zip(table.keys, table.values, strict=True)}
    raise ValueError("no table MODELS = {name: Class, ...} found")


def _schema(class_name: str, classes: dict[str, ast.ClassDef]) -> type[BaseModel]:
    return create_model(class_name, __base__=Strict, **_options(class_name, classes))


def _options(class_name: str, classes: dict[str, ast.ClassDef]) -> dict[str, Any]:
    """Name -> (annotation, default): those of the class's constructor after those that it hands on to its base class.

    A class without a constructor has its base class's.
    """
    node = classes[class_name]
    own = [item.args for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
    inherits = bases and all(arguments.kwarg for arguments in own)
    handed_on = _options(bases[0], classes) if inherits else {}
    return handed_on | {name: option for arguments in own for name, option in _declared(arguments).items()}


def _declared(arguments: ast.arguments) -> dict[str, Any]:
    """The options of one constructor."""
    fields: dict[str, Any] = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        assert argument.annotation is not None
        annotation = eval(ast.unparse(argument.annotation), vars(options).copy())  # noqa: S307  (our own source text)
        fields[argument.arg] = (annotation, ... if default is None else ast.literal_eval(default))
    return fields
