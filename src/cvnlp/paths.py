"""Where every file of a project is, from its root: the folder with dvc.yaml and params.yaml.

dvc.yaml states the same paths as dependencies and outputs; a test compares the two.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProjectPaths:
    """Files and folders that belong to no single run."""

    root: Path = Path()

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def params_valid(self) -> Path:
        """Exists if params.yaml was found valid."""
        return self.root / "data/params_valid.txt"

    @property
    def chosen_seeds(self) -> Path:
        """A file for each run with its seeds, so that a change of them reruns the stage `seeds` of that run alone."""
        return self.root / "data/chosen_seeds"

    @property
    def raw(self) -> Path:
        """Published files, as downloaded."""
        return self.root / "data/raw"

    def prepared(self, dataset: str) -> Path:
        return self.root / "data/prepared" / dataset

    @property
    def models(self) -> Path:
        return self.root / "data/models"

    @property
    def demo(self) -> Path:
        return self.root / "data/demo"

    @property
    def resume(self) -> Path:
        """State of interrupted trainings: a folder per run."""
        return self.root / "data/resume"

    @property
    def transfer(self) -> Path:
        """Accuracy of each classifier on the images attacked for every other one."""
        return self.root / "reports/transfer.csv"

    @property
    def transfer_gains(self) -> Path:
        """Share of images that only the attacks on other classifiers break."""
        return self.root / "reports/transfer_gains.csv"

    @property
    def figures(self) -> Path:
        return self.root / "reports/figures"

    @property
    def report(self) -> Path:
        return self.root / "reports/report.md"

    @property
    def report_page(self) -> Path:
        return self.root / "reports/report.html"

    @property
    def changes(self) -> Path:
        """Scores that differ from those of the last commit; no output of a stage."""
        return self.root / "reports/changes.md"

    @property
    def trials(self) -> Path:
        """Results of `cvnlp tune`."""
        return self.root / "reports/tuning"

    @property
    def seeds(self) -> Path:
        """Test scores of the runs with several seeds."""
        return self.root / "reports/seeds.json"

    @property
    def tracked(self) -> Path:
        """Digest of the model of every run that MLflow holds."""
        return self.root / "data/tracked.json"

    def run(self, name: str, dataset: str) -> "RunPaths":
        return RunPaths(name, dataset, self.root)

    def leftovers(self, runs: Collection[str], datasets: Collection[str]) -> dict[Path, str]:
        """Results of runs, and prepared data, of which these are not the names: path -> name.

        Figures are not among them, for `report` replaces them all.
        """
        kinds = [(pattern, runs) for pattern in self.run("*", "*").results()] + [(self.prepared("*"), datasets)]
        found = [
            (path, path.name.partition(".")[0], names)
            for pattern, names in kinds
            for path in sorted(self.root.glob(str(pattern.relative_to(self.root))))
        ]
        return {path: name for path, name, names in found if name and name not in names}


@dataclass(frozen=True)
class RunPaths:
    """Files and folders of one run."""

    name: str
    dataset: str
    root: Path = Path()

    @property
    def prepared(self) -> Path:
        return ProjectPaths(self.root).prepared(self.dataset)

    @property
    def model(self) -> Path:
        """Folder of model.safetensors and config.json."""
        return ProjectPaths(self.root).models / self.name

    @property
    def history(self) -> Path:
        """Metrics of every epoch."""
        return self.root / "reports/history" / f"{self.name}.csv"

    @property
    def training(self) -> Path:
        """Parameters, multiply-adds, epochs and examples of the training."""
        return self.root / "reports/training" / f"{self.name}.json"

    @property
    def durations(self) -> Path:
        """Seconds, speed, host and date of the training; not an output of a stage, for it differs every time."""
        return self.root / "reports/durations" / f"{self.name}.json"

    @property
    def records(self) -> Path:
        """Commit, date and MLflow run of the training of each model; no output of a stage, as durations."""
        return self.root / "data/trainings" / self.name

    @property
    def resume(self) -> Path:
        """State of interrupted trainings: a folder per fingerprint of params, data and code."""
        return ProjectPaths(self.root).resume / self.name

    @property
    def scores(self) -> Path:
        """Scores on the test split."""
        return self.root / "reports/scores" / f"{self.name}.json"

    @property
    def evaluation(self) -> Path:
        """Tables behind the scores: predictions, confusion, calibration, samples."""
        return self.root / "data/evaluations" / self.name

    @property
    def attacks(self) -> Path:
        """Scores under attack."""
        return self.root / "reports/attacks" / f"{self.name}.json"

    @property
    def attack_table(self) -> Path:
        """The same scores as a table: one row per attack and strength."""
        return self.root / "reports/attacks" / f"{self.name}.csv"

    @property
    def attack_durations(self) -> Path:
        """Seconds of each attack; not an output of a stage, as durations."""
        return self.root / "reports/durations/attacks" / f"{self.name}.json"

    @property
    def attacked(self) -> Path:
        """Attacked pictures or texts, and the tables behind the scores."""
        return self.root / "data/attacks" / self.name

    @property
    def insights(self) -> Path:
        """What the network has learned, in numbers."""
        return self.root / "reports/insights" / f"{self.name}.json"

    @property
    def insight(self) -> Path:
        """Arrays and tables behind these numbers."""
        return self.root / "data/insights" / self.name

    @property
    def chosen_seeds(self) -> Path:
        """The seeds of the run: a JSON list."""
        return ProjectPaths(self.root).chosen_seeds / f"{self.name}.json"

    @property
    def seeds(self) -> Path:
        """Models, histories and scores of the seeds other than the run's own: a folder per seed."""
        return self.root / "data/seeds" / self.name

    @property
    def seed_scores(self) -> Path:
        """Scores of all seeds of the run, with mean and standard deviation."""
        return self.root / "reports/seeds" / f"{self.name}.json"

    @property
    def tuning(self) -> Path:
        """The state of the search for better settings of the run, from which it is continued."""
        return self.root / "data/tune" / self.name

    @property
    def trials(self) -> Path:
        """All trials of this search, a row each; next to it a JSON file with what was found."""
        return ProjectPaths(self.root).trials / f"{self.name}.csv"

    @property
    def figures(self) -> Path:
        return ProjectPaths(self.root).figures / self.name

    def results(self) -> tuple[Path, ...]:
        """What the stages of the run and `cvnlp tune` have written."""
        reports = (self.training, self.history, self.scores, self.attacks, self.attack_table, self.insights)
        others = (self.durations, self.attack_durations, self.records, self.tuning, self.trials)
        folders = (self.model, self.evaluation, self.attacked, self.insight, self.seeds, self.seed_scores)
        return (*reports, *others, *folders)


@dataclass(frozen=True)
class SeedPaths:
    """What the training and scoring of a run with another seed have written in `folder`."""

    folder: Path

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"
