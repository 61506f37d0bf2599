"""params.yaml -> data/params_valid.txt, whose content never changes, and data/chosen_seeds.

DVC removes the outputs of a stage before it starts the command of the stage. A training that refused its params would
already have lost its model. All stages therefore depend on this one, which refuses a wrong params.yaml before DVC
removes anything. As its output is always the same, no other stage reruns because of it.

The seeds of each run are in a file of their own, the dependency of its stage `seeds`: DVC cannot depend on a key of
params.yaml that may be missing.
"""

from pathlib import Path

from cvnlp import files
from cvnlp.params import check_own_paths, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def check(root: Path = Path()) -> None:
    """Refuse a params.yaml with a mistake, whichever block it is in."""
    paths = ProjectPaths(root)
    settings = read_params(paths.params)
    check_own_paths(paths.params, settings)
    paths.trials.mkdir(parents=True, exist_ok=True)  # a dependency of `report`, which `cvnlp tune` fills
    for name, run in settings.runs.items():
        files.write_json(paths.run(name, run.dataset).chosen_seeds, run.seeds or [run.seed])
    files.write_text(paths.params_valid, "params.yaml is valid\n")


if __name__ == "__main__":
    command_line.run(check)
