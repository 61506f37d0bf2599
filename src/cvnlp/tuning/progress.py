"""The progress of a search: a bar with the best score on a terminal, a line for each trial elsewhere."""

import sys
from typing import Any, Self

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from cvnlp.tuning.results import STATES, ended
from cvnlp.tuning.results import best as find_best
from cvnlp.tuning.setting import Setting


class Progress:
    """`limit`: of trials; `study`: with the trials of earlier calls, which are not printed again."""

    def __init__(self, limit: int, setting: Setting, study: Study | None) -> None:
        self.seen = {trial.number for trial in ended(study)}
        terminal = sys.stderr.isatty()
        self.bar: Any = tqdm(
            total=limit, initial=len(self.seen), desc=f"tune {setting.run}", unit="trial", disable=not terminal
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, study: Study | None) -> None:
        """Print the trials that have ended since, and the best score so far."""
        trials = ended(study)
        for trial in trials:
            if trial.number not in self.seen:
                self.seen.add(trial.number)
                self.bar.update()
                self._print(trial)
        best = find_best(study) if study else None
        self.bar.set_postfix_str(f"best {best.value:.4g} (trial {best.number})" if best else "", refresh=False)
        self.bar.refresh()

    def _print(self, trial: FrozenTrial) -> None:
        score = f"{trial.value:.4g}" if trial.state is TrialState.COMPLETE else STATES[trial.state]
        tqdm.write(f"trial {trial.number}: {score} after {len(trial.intermediate_values)} epochs")
        sys.stdout.flush()
