"""Convert a user's prompt to token ids, as the data set was converted. Imports no torch."""

from collections.abc import Sequence

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.tokens import TOKENISERS
from cvnlp.params.processing import TextProcessing


def read_prompt(
    prompt: str, vocabulary: Sequence[str], facts: LanguageFacts | TextProcessing
) -> tuple[list[int], list[str]]:
    """The token ids of a prompt that is to be continued, and its unknown tokens (id 0), each once."""
    text = prompt.replace("\r\n", "\n").replace("\r", "\n")
    text = text.lower() if facts.lowercase else text
    split = TOKENISERS[facts.tokens].split
    # tokenisers of words end every line; a word is appended, and removed with this end, as the last line continues
    tokens = list(split(text)) if facts.token_kind == "characters" else list(split(f"{text} x"))[:-2]
    ids = {token: number for number, token in enumerate(vocabulary)}
    return [ids.get(token, 0) for token in tokens], list(dict.fromkeys(token for token in tokens if token not in ids))
