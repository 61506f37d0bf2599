"""Write reports/report.html, report.md and figures from the files of all other stages, and bring MLflow up to date."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from cvnlp import files, provenance
from cvnlp.params import Params, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.report import build
from cvnlp.report.details import Progress
from cvnlp.stages import command_line
from cvnlp.tracking import address


def report(root: Path = Path()) -> None:
    """Compare all runs in tables and figures, and complete their entries in MLflow."""
    paths = ProjectPaths(root)
    settings = read_params(paths.params)
    with _tracking(settings, paths) as progress:
        build.write_report(settings, paths, progress=progress)
        build.write_changes(settings, paths)
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


@contextlib.contextmanager
def _tracking(settings: Params, paths: ProjectPaths) -> Iterator[Progress]:
    """Complete MLflow in a thread while the block draws in processes and writes the report.

    After an error of the block the thread waits for figures that do not come, until the process ends.
    """
    progress = Progress()
    thread = threading.Thread(target=_complete_tracking, args=(settings, paths, progress), daemon=True)
    thread.start()
    yield progress
    thread.join()


def _complete_tracking(settings: Params, paths: ProjectPaths, progress: Progress) -> None:
    """A failure of MLflow is one warning: the files are complete without it."""
    progress.started.wait()  # processes that are forked during an import would wait for its lock
    with address.masked_output():
        try:
            from cvnlp.registry import champion
            from cvnlp.tracking import mlflow_store, sync

            store = mlflow_store.connect()
            sync.log_models(settings, paths, store)
            progress.drawn.wait()
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
