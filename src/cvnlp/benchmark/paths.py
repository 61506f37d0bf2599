"""Where the files of benchmarks/ are, next to those of every project."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BenchmarkPaths:
    """Files of benchmarks/, which has the stages of the project and one more: the tables."""

    root: Path = Path()

    @property
    def larger(self) -> Path:
        """Runs too large for the machine, in the form of params.yaml."""
        return self.root / "larger.yaml"

    @property
    def published(self) -> Path:
        return self.root / "published.csv"

    @property
    def timings(self) -> Path:
        """Seconds per epoch on an idle machine."""
        return self.root / "reports/timings.json"

    @property
    def report(self) -> Path:
        return self.root / "reports/table.md"

    @property
    def table(self) -> Path:
        return self.root / "reports/table.csv"

    @property
    def figures(self) -> Path:
        return self.root / "reports/figures"
