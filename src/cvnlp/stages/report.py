"""Write reports/report.html, report.md and figures from the files of all other stages, and bring MLflow up to date."""

import sys
from pathlib import Path

from cvnlp import files, provenance
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.report import build
from cvnlp.stages import command_line
from cvnlp.tracking import address


def report(root: Path = Path()) -> None:
    """Compare all runs in tables and figures, and complete their entries in MLflow."""
    paths = ProjectPaths(root)
    settings = read_params(paths.params)
    build.write_report(settings, paths)
    build.write_changes(settings, paths)
    _complete_tracking(settings, paths)
    digests = {
        run: provenance.model_digest(paths.run(run, block.dataset).model) for run, block in settings.runs.items()
    }
    files.write_json(paths.tracked, digests)
    if left := paths.leftovers(settings.runs, settings.all_datasets):
        names = ", ".join(sorted(set(left.values())))
        print(
            f"note: results that are not in params.yaml are left: {names}; `cvnlp clean` removes them", file=sys.stderr
        )
    print(f"report: {paths.report_page}; changes since the last commit: {paths.changes}")


def _complete_tracking(settings: Params, paths: ProjectPaths) -> None:
    """A failure of MLflow is one warning: the files are complete without it."""
    with address.masked_output():
        try:
            from cvnlp.registry import champion
            from cvnlp.tracking import mlflow_store, sync

            store = mlflow_store.connect()
            sync.complete_all(settings, paths, store)
            champion.register_all(settings, paths, store)
        except Exception as error:
            print(
                f"warning: MLflow is not up to date ({address.one_line(error)}); "
                "`dvc repro --force --single-item report` tries again",
                file=sys.stderr,
            )


if __name__ == "__main__":
    command_line.run(report)
