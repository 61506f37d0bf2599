"""Write the tables and figures of benchmarks/ from its results and the published ones."""

from collections.abc import Mapping
from pathlib import Path

from cvnlp import domains
from cvnlp.benchmark import build
from cvnlp.benchmark.paths import BenchmarkPaths
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.report.aggregate import Size
from cvnlp.stages import command_line


def benchmark_tables(root: Path = Path()) -> None:
    """Compare all runs with published results; runs that differ only in their seed are one row."""
    project, paths = ProjectPaths(root), BenchmarkPaths(root)
    settings = read_params(project.params)
    larger = build.read_larger(paths.larger, settings)
    trained, untrained = build.split_trained(settings, project)
    waiting = {**untrained.runs, **larger.runs}
    build.write_tables(trained, project, paths, waiting, _sizes(waiting, project))
    print(f"compared: {paths.report}")


def _sizes(runs: Mapping[str, VisionRun | LanguageRun], project: ProjectPaths) -> dict[str, Size]:
    """Parameters and multiply-adds of the network of every run."""
    from cvnlp import networks

    sizes = {}
    for name, run in runs.items():
        facts = prepared.read_facts(project.prepared(run.dataset))
        network = networks.build(networks.describe(run.domain, run.model, facts))
        multiply_adds = domains.DOMAINS[run.domain].models.multiply_adds(network)
        sizes[name] = Size(networks.parameter_count(network), multiply_adds)
    return sizes


if __name__ == "__main__":
    command_line.run(benchmark_tables)
