"""All results of benchmarks/ -> its tables beside published figures, and the figures."""

from collections.abc import Mapping
from pathlib import Path

from cvnlp import domains
from cvnlp.benchmark import build
from cvnlp.data import prepared
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.report.aggregate import Size
from cvnlp.stages import command_line


def compare(
    params: Path,
    larger: Path,
    data: Path,
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
    settings = domains.read_params(params)
    inputs = build.Inputs(training, scores, durations, timings, published)
    too_large = build.read_larger(larger, settings)
    trained, untrained = build.split_trained(settings, inputs)
    waiting = {**untrained.runs, **too_large.runs}
    build.write_comparison(trained, inputs, waiting, _sizes(waiting, data), report=report, table=table, figures=figures)
    print(f"compared: {report}")


def _sizes(runs: Mapping[str, VisionRun | LanguageRun], data: Path) -> dict[str, Size]:
    """Of the network of every run, built and thrown away."""
    from cvnlp import networks

    sizes = {}
    for name, run in runs.items():
        network = networks.build(networks.describe(run.domain, run.model, prepared.facts(data / run.dataset)))
        multiply_adds = domains.DOMAINS[run.domain].models.multiply_adds(network)
        sizes[name] = Size(networks.parameter_count(network), multiply_adds)
    return sizes


if __name__ == "__main__":
    paths = ("larger", "data", "training", "scores", "durations", "timings", "published", "report", "table", "figures")
    command_line.run(compare, *paths, item="")
