"""What each network accepts, read from its source text: importing torch only to refuse a misspelt key takes seconds.

A network's constructor takes what the data decides before the `*`, and what params.yaml decides, its options, after
it. The annotations of the options are names of `cvnlp.options`, which say the ranges.
"""

import ast
from pathlib import Path
from typing import Any

from pydantic import BaseModel, create_model

from cvnlp import options
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


def _constructor(class_name: str, classes: dict[str, ast.ClassDef]) -> ast.FunctionDef:
    """The `__init__` of the class, or the nearest one that it inherits."""
    node = classes[class_name]
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return item
    return _constructor(next(base.id for base in node.bases if isinstance(base, ast.Name)), classes)


def _schema(class_name: str, classes: dict[str, ast.ClassDef]) -> type[BaseModel]:
    arguments = _constructor(class_name, classes).args
    fields: dict[str, Any] = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        assert argument.annotation is not None
        annotation = eval(ast.unparse(argument.annotation), vars(options).copy())  # noqa: S307  (our own source text)
        fields[argument.arg] = (annotation, ... if default is None else ast.literal_eval(default))
    return create_model(class_name, __base__=Strict, **fields)
