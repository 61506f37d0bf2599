"""The largest numbers and texts that clients of a served language model may send."""

MAX_TOKENS = 10_000  # to generate
MAX_PROMPT = 10_000  # characters
MAX_TEXT = 100_000  # characters to score
MAX_TEMPERATURE = 100.0
MAX_TOP_K = 2**31 - 1
MAX_SEED = 2**32 - 1
