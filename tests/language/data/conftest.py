"""Small texts, published and a user's own, and their preparation with the options of params.yaml."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language import data
from cvnlp.language.data import published
from cvnlp.language.data.texts import Texts
from cvnlp.params.datasets import LanguageDataset, OwnTexts

OPTIONS: dict[str, Any] = {
    "domain": "language",
    "seed": 1,
    "tokens": "characters",
    "lowercase": False,
    "vocabulary_size": None,
    "minimum_count": 1,
    "validation": None,
    "test": None,
    "duplicates": "keep",
}


def made_texts(documents: Mapping[str, str], given: Mapping[str, list[str]] | None = None) -> Texts:
    readers = {name: partial(str, text) for name, text in documents.items()}
    return Texts("made", readers, given or {"train": list(documents)})


def write_files(root: Path, contents: Mapping[str, bytes | str]) -> Path:
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return root


@pytest.fixture(name="made_texts")
def made_texts_fixture() -> Callable[..., Texts]:
    return made_texts


@pytest.fixture(name="write_files")
def write_files_fixture() -> Callable[..., Path]:
    return write_files


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LanguageFacts]:
    """Prepare documents as if they were published."""

    def of(
        folder: Path, documents: Mapping[str, str], given: Mapping[str, list[str]] | None = None, **options: Any
    ) -> LanguageFacts:
        monkeypatch.setitem(published.READERS, "shakespeare", lambda raw: made_texts(documents, given))
        return data.prepare(Path("unused"), folder, LanguageDataset(source="shakespeare", **OPTIONS | options))

    return of


@pytest.fixture
def prepare_own() -> Callable[..., LanguageFacts]:
    """Prepare the files at a path."""

    def of(folder: Path, path: Path, **options: Any) -> LanguageFacts:
        return data.prepare(path, folder, OwnTexts(path=str(path), **OPTIONS | options))

    return of
