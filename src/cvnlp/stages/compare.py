"""All results of benchmarks/ -> its tables beside published figures, and the figures."""

from pathlib import Path

from cvnlp import benchmark, command, domain, prepared
from cvnlp.comparison import Size
from cvnlp.params import Params


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
    settings = domain.read_params(params)
    waiting = benchmark.read_larger(larger, settings)
    inputs = benchmark.Inputs(training, scores, durations, timings, published)
    benchmark.write_comparison(
        settings, inputs, waiting, _sizes(waiting, data), report=report, table=table, figures=figures
    )
    print(f"compared: {report}")


def _sizes(settings: Params, data: Path) -> dict[str, Size]:
    """Of the network of every run, built and thrown away."""
    from cvnlp import networks

    sizes = {}
    for name, run in settings.runs.items():
        network = networks.build(networks.describe(run.domain, run.model, prepared.facts(data / run.dataset)))
        multiply_adds = domain.part(run.domain, "models").multiply_adds(network)
        sizes[name] = Size(networks.parameter_count(network), multiply_adds)
    return sizes


if __name__ == "__main__":
    paths = ("larger", "data", "training", "scores", "durations", "timings", "published", "report", "table", "figures")
    command.run(compare, *paths, item="")
