"""Shares of the data that are held out: what was given, and what whole documents or images allow."""

import sys

TOLERANCE = 0.1  # a split may differ from its share by a tenth of that share without a warning


def is_near(obtained: float, share: float) -> bool:
    return abs(obtained - share) <= TOLERANCE * share


def warn_if_far(split: str, share: float, obtained: float, reason: str) -> None:
    """Print a warning with both shares if they differ by more than the tolerance; `reason` says why they do."""
    if not is_near(obtained, share):
        print(f"warning: {split}: {share:g} was given, but the split has {obtained:.3g}: {reason}", file=sys.stderr)
