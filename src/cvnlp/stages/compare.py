"""All results of benchmarks/ -> its tables beside published figures, and the figures."""

from pathlib import Path

from cvnlp import benchmark, command, domain


def compare(
    params: Path,
    training: Path,
    scores: Path,
    durations: Path,
    timings: Path,
    published: Path,
    report: Path,
    table: Path,
    figures: Path,
) -> None:
    """Set all runs, those that differ in nothing but their seed as one, beside published figures."""
    inputs = benchmark.Inputs(training, scores, durations, timings, published)
    benchmark.write_comparison(domain.read_params(params), inputs, report=report, table=table, figures=figures)
    print(f"compared: {report}")


if __name__ == "__main__":
    paths = ("training", "scores", "durations", "timings", "published", "report", "table", "figures")
    command.run(compare, *paths, item="")
