"""The findings on language models, for the summary."""

from cvnlp.report.results import Results


def findings(results: Results) -> list[str]:
    """Which model predicts the held-out text best."""
    runs = results.largest_group()
    return [results.ranking(runs)] if runs else []
