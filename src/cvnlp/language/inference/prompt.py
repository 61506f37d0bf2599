"""What a user begins and a model is to write on: as the ids that the model's own data would hold. Imports no torch."""

from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.data.tokens import TOKENISERS


def read_prompt(prompt: str, vocabulary: list[str], facts: LanguageFacts) -> tuple[list[int], list[str]]:
    """The ids of a text that goes on, tokenised as the data set of `facts` was, and its tokens that are unknown (0)."""
    text = prompt.replace("\r\n", "\n").replace("\r", "\n")
    text = text.lower() if facts.lowercase else text
    split = TOKENISERS[facts.tokens].split
    # of words, what ends the last line is left out, for it goes on: a word more, and both left out
    tokens = list(split(text)) if facts.token_kind == "characters" else list(split(f"{text} x"))[:-2]
    ids = {token: number for number, token in enumerate(vocabulary)}
    return [ids.get(token, 0) for token in tokens], list(dict.fromkeys(token for token in tokens if token not in ids))
