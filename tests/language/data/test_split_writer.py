"""Writing a split: its chunks have no influence on the ids and the statistics."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cvnlp.data import prepared
from cvnlp.language.data.split_writer import Statistics, write_split
from cvnlp.language.data.texts import Part, Texts, chunks
from cvnlp.language.data.tokens import TOKENISERS

Make = Callable[..., Texts]
DOCUMENTS = {"first": "KING:\nA cat, <unk> dog.\n\nQUEEN:\nA cat!\n", "second": "\n\nZebra, no end"}
PARTS = [Part(name, 0, len(text)) for name, text in DOCUMENTS.items()]
VOCABULARIES = {"characters": ["<unk>", *"\nACGKNQUEaczt,.: "]}
OTHER_VOCABULARY = ["<unk>", "<eos>", "A", "cat", "KING", ",", "no"]


def write(folder: Path, texts: Texts, kind: str, chunk_size: int) -> tuple[list[int], Statistics]:
    vocabulary = VOCABULARIES.get(kind, OTHER_VOCABULARY)
    statistics = write_split(folder, "test", texts, PARTS, TOKENISERS[kind], vocabulary, chunk_size=chunk_size)
    return prepared.load_array(folder, "test").tolist(), statistics


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("kind", sorted(TOKENISERS))
def test_chunks_do_not_change_ids_and_statistics(tmp_path: Path, made_texts: Make, kind: str, size: int) -> None:
    texts = made_texts(DOCUMENTS)
    (ids, statistics), (expected_ids, expected) = (
        write(tmp_path / str(chunk_size), texts, kind, chunk_size) for chunk_size in (size, 2**20)
    )
    assert ids == expected_ids
    digests, expected_digests = statistics.line_digests, expected.line_digests
    assert sum(map(len, digests)) == sum(map(len, expected_digests)) == 0, "no line is long"
    assert vars(statistics) | {"line_digests": []} == vars(expected) | {"line_digests": []}
    assert (statistics.lines, statistics.longest_line) == (8, 17)


@pytest.mark.parametrize("size", [1, 2, 7, 10, 100])
def test_chunks_are_whole_lines_of_at_least_the_size(made_texts: Make, size: int) -> None:
    found = list(chunks(made_texts(DOCUMENTS), PARTS, "|", "", size=size))
    assert "".join(separator + chunk for separator, chunk in found) == "|".join(DOCUMENTS.values())
    for separator, chunk in found:
        ends_document = any(text.endswith(chunk) for text in DOCUMENTS.values())
        assert chunk.endswith("\n") or ends_document
        assert len(chunk) >= size or ends_document
        assert "\n" not in chunk[size - 1 : -1], "it ends at the first line end from the size on"
        assert separator in ("", "|")
