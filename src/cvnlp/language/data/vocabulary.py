"""Which tokens have a number of their own, and what the special ones are called."""

from collections.abc import Mapping

UNKNOWN = "<unk>"  # always number 0
END_OF_LINE = "<eos>"


def build_vocabulary(
    counts: Mapping[str, int], line_end: str, *, size: int | None = None, minimum_count: int = 1
) -> list[str]:
    """`<unk>`, `<eos>`, then the tokens from the most to the least frequent, ties by the alphabet; `size` in all.

    The line end, from which every text starts, is among them however rare it is.
    """
    known = {line_end: 0} | {token: count for token, count in counts.items() if token != UNKNOWN}
    ranked = sorted(
        (token for token, count in known.items() if count >= minimum_count or token == line_end),
        key=lambda token: (token != END_OF_LINE, -known[token], token),
    )
    kept = ranked if size is None else ranked[: size - 1]
    return [UNKNOWN, *(kept if line_end in kept else [*kept[:-1], line_end])]
