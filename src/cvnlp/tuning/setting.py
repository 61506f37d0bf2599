"""What a search is about: a run, its ranges and data, and the name of its study, which other settings do not share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cvnlp import files, provenance
from cvnlp.data import prepared
from cvnlp.params import Params, pick, read_params, read_raw
from cvnlp.params.tune import substitute
from cvnlp.params.tuned_runs import AnyRun, present_values, with_values
from cvnlp.paths import ProjectPaths, RunPaths


@dataclass(frozen=True)
class Setting:
    """`raw`: the block of the run as the file has it."""

    run: str
    block: AnyRun
    raw: Mapping[str, Any]
    settings: Params
    paths: RunPaths

    @property
    def present(self) -> dict[str, Any]:
        """The values of the tuned keys in params.yaml."""
        return present_values(self.block, self.block.tune)

    def tuned(self, values: Mapping[str, Any]) -> AnyRun:
        """The run with other values; ValueError if they cannot be combined."""
        return with_values(self.block, self.raw, values)

    @cached_property
    def study(self) -> str:
        """The run, and 16 hexadecimal digits of data, code, ranges and all params that are not tuned.

        So a search goes on after its best values are written back, and never with trials of other settings.
        """
        dump = self.block.model_dump(mode="json", include={"domain", "seed", "model", "train"})
        fixed = substitute(dump, dict.fromkeys(self.block.tune))
        ranges = {key: one.model_dump(mode="json") for key, one in self.block.tune.items()}
        code = [provenance.PACKAGE / part.format(domain=self.block.domain) for part in provenance.TRAINING_CODE]
        data = files.sha256(self.paths.prepared / "facts.json")
        return f"{self.run}-{provenance.digest([fixed, ranges, data, provenance.code_digest(code)])[:16]}"


def read(run: str, root: Path = Path()) -> Setting:
    """ValueError if the run does not exist, has no ranges or no prepared data."""
    project = ProjectPaths(root)
    settings = read_params(project.params)
    block = pick(project.params, "runs", settings.runs, run)
    if not block.tune:
        example = "{train.lr: {log_uniform: [0.0005, 0.01]}}"
        raise ValueError(f"{project.params}: runs.{run}.tune: no ranges to search in; an example: tune: {example}")
    if not block.train.epochs:
        raise ValueError(f"{project.params}: runs.{run}.train.epochs: 0 trains nothing, so nothing can be tuned")
    paths = project.run(run, block.dataset)
    prepared.read_facts(paths.prepared)  # ValueError without prepared data
    return Setting(run, block, read_raw(project.params)["runs"][run], settings, paths)
