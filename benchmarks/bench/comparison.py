"""Compare two results of `make bench` by their ratios: seconds of two machines cannot be compared, but ratios can."""

from bench.results import Report, Row, is_worse

TOLERANCE = 0.15  # by which a ratio may be worse: virtual machines vary even from minute to minute
NAME = 32


def compare(old: Report, new: Report, tolerance: float = TOLERANCE) -> list[str]:
    """Print a line per measure of both; returns the names of those whose ratio is worse by more than `tolerance`."""
    print(f"{'measure':<{NAME}} {'before':>8} {'now':>8} {'change':>8}")
    worse = []
    for name in sorted(old.rows.keys() & new.rows.keys()):
        before, now = old.rows[name].pairs.ratio, new.rows[name].pairs.ratio
        verdict = _verdict(old.rows[name], now, tolerance)
        worse += [name] if verdict == "worse" else []
        print(f"{name:<{NAME}} {before:>8.3g} {now:>8.3g} {now / before - 1:>+8.1%} {verdict}".rstrip())
    for title, names in (
        ("only before", old.rows.keys() - new.rows.keys()),
        ("new", new.rows.keys() - old.rows.keys()),
    ):
        if names:
            print(f"{title}: {', '.join(sorted(names))}")
    return worse


def _verdict(before: Row, now: float, tolerance: float) -> str:
    """The smaller the ratio of a measure where less is better, the better."""
    ratio = before.pairs.ratio
    if is_worse(now, ratio, before.better, tolerance=tolerance):
        return "worse"
    return "better" if is_worse(ratio, now, before.better, tolerance=tolerance) else ""
