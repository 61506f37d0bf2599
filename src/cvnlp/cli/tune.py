"""`cvnlp tune`: search for better settings of a run, by its score on the validation split."""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvnlp.cli.options import Root

if TYPE_CHECKING:
    from cvnlp.tuning.results import Found
    from cvnlp.tuning.setting import Setting


def tune(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run of params.yaml with a block `tune`.")],
    *,
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of earlier calls included.")] = 20,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds after which no trial begins.", show_default="none")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Trials at a time.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Database of Optuna, for several machines.", show_default="data/tune/RUN"),
    ] = None,
    write: Annotated[bool, typer.Option(help="Write better values to params.yaml.")] = True,
    root: Root = Path(),
) -> None:
    """Search for better settings of a run, in the ranges of its block `tune`.

    Trains the run with other settings and scores each trial on the validation split; the test split is not read. The
    present values are the first trial. Trials that are worse than the median at an epoch are stopped (pruned). The same
    command continues an interrupted search. Better values are written to params.yaml; `dvc repro` then trains with
    them.
    """
    with contextlib.chdir(root):
        from cvnlp.tuning import results, search, setting
        from cvnlp.tuning.trials import open_storage

        chosen = setting.read(run)
        code = 0
        try:
            search.search(chosen, search.Limits(trials, timeout, jobs), storage)
        except search.Interrupted as interrupted:
            code = interrupted.code
            print(f"interrupted ({interrupted}): the same command continues the search", file=sys.stderr)
        study = search.find_study(chosen, open_storage(chosen.paths.tuning, storage))
        if study is None:
            print("no trial has begun")
        else:
            found = results.evaluate(chosen, study)
            results.write(chosen, study, found)
            _print(chosen, found)
            if not code and write:
                _write_back(chosen, found)
    if code:
        sys.exit(code)


def _print(setting: "Setting", found: "Found") -> None:
    from tabulate import tabulate

    from cvnlp.tuning.trials import VALUES

    best, present = found.best, setting.present
    rows = [[key, value, best.user_attrs[VALUES][key] if best else ""] for key, value in present.items()]
    scores = [f"{trial.value:.6g}" if trial else "none" for trial in (found.present, best)]
    rows.append([f"{found.metric}, {'lowest' if found.lower_is_better else 'highest'} of all epochs", *scores])
    print(tabulate(rows, headers=["setting", "present", "best"], disable_numparse=True))
    print("trials: " + ", ".join(f"{count} {state}" for state, count in found.counts.items()))
    print(_verdict(found))


def _verdict(found: "Found") -> str:
    if found.best is None:
        return "no trial is complete: nothing can be compared"
    if found.present is None:
        return f"trial {found.best.number} is the best; the present values have no complete trial to compare it with"
    if found.improvement <= 0:
        return "the present values are the best of all trials"
    where = f"trial {found.best.number} is better than the present values by {found.improvement:.4g}"
    return f"{where}, on the validation split and with one seed"


def _write_back(setting: "Setting", found: "Found") -> None:
    from cvnlp.paths import ProjectPaths
    from cvnlp.tuning.trials import VALUES
    from cvnlp.tuning.write_back import write_back

    if found.best is None or found.improvement <= 0:
        return
    path, values = ProjectPaths().params, found.best.user_attrs[VALUES]
    changed = {key: value for key, value in values.items() if value != setting.present[key]}
    write_back(path, setting.run, changed)
    print(f"{path} has these values now: `git diff {path}` shows them, `dvc repro` trains with them")
