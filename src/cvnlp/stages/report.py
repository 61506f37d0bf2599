"""Write reports/report.md and its figures from the files of all other stages, and bring MLflow up to date."""

import sys
from pathlib import Path

from cvnlp import files, provenance
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.report import build
from cvnlp.stages import command_line


def report(root: Path = Path()) -> None:
    """Compare all runs in tables and figures, and complete their entries in MLflow."""
    paths = ProjectPaths(root)
    settings = read_params(paths.params)
    build.write_report(settings, paths)
    _complete_tracking(settings, paths)
    digests = {
        run: provenance.model_digest(paths.run(run, block.dataset).model) for run, block in settings.runs.items()
    }
    files.write_json(paths.tracked, digests)
    print(f"report: {paths.report}")


def _complete_tracking(settings: Params, paths: ProjectPaths) -> None:
    """A failure of MLflow is one warning: the files are complete without it."""
    try:
        from cvnlp.tracking import mlflow_store, sync

        store = mlflow_store.connect()
        for run, block in settings.runs.items():
            sync.sync(settings, paths.run(run, block.dataset), store)
    except Exception as error:
        what = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(
            f"warning: MLflow is not up to date ({what}); `dvc repro --force --single-item report` tries again",
            file=sys.stderr,
        )


if __name__ == "__main__":
    command_line.run(report)
