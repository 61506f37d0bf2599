"""All files of the stages before -> reports/report.md, its figures, and MLflow brought up to the files."""

import sys
from pathlib import Path

from cvnlp import domains, files, provenance
from cvnlp.params import Params
from cvnlp.report import build
from cvnlp.stages import command_line


def report(
    params: Path,
    prepared: Path,
    models: Path,
    training: Path,
    history: Path,
    scores: Path,
    attacks: Path,
    insights: Path,
    details: Path,
    examples: Path,
    learned: Path,
    figures: Path,
    report: Path,
    tracked: Path,
) -> None:
    """Compare all runs in tables and figures, and complete their entries in MLflow."""
    settings = domains.read_params(params)
    inputs = build.Inputs(prepared, training, history, scores, attacks, insights, details, examples, learned)
    build.write_report(settings, params, inputs, figures, report)
    _complete_tracking(settings, inputs, models, figures)
    files.write_json(tracked, {run: provenance.model_digest(models / run) for run in settings.runs})
    print(f"report: {report}")


def _complete_tracking(settings: Params, inputs: build.Inputs, models: Path, figures: Path) -> None:
    """A tracker that is down is one warning: the files are complete without it."""
    try:
        from cvnlp.tracking import mlflow_store, sync

        client, experiment = mlflow_store.connect()
        for run, block in settings.runs.items():
            found = sync.Files(
                data=inputs.prepared / block.dataset,
                model=models / run,
                history=inputs.history / f"{run}.csv",
                training=inputs.training / f"{run}.json",
                scores=inputs.scores / f"{run}.json",
                attacks=inputs.attacks / f"{run}.json",
                insights=inputs.insights / f"{run}.json",
                details=inputs.details / run,
                figures=figures / run,
            )
            sync.project(settings, run, found, client, experiment)
    except Exception as error:
        what = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(
            f"warning: MLflow is not up to date ({what}); `dvc repro --force --single-item report` tries again",
            file=sys.stderr,
        )


if __name__ == "__main__":
    command_line.run(
        report,
        "prepared",
        "models",
        "training",
        "history",
        "scores",
        "attacks",
        "insights",
        "details",
        "examples",
        "learned",
        "figures",
        "report",
        "tracked",
        item="",
    )
