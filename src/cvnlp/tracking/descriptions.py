"""What MLflow's pages say about the experiment and about each run, from the files. Imports no MLflow."""

from cvnlp import domains, files, provenance
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.tracking import training_record

EXPERIMENT = """\
Runs of the pipeline: all models of `params.yaml`, with metrics by stage: `training/`, `test/`, `attack/`, `insight/`.

Select runs and press **Compare**. `Models` shows the trained networks with their model cards; `cvnlp registry` on the
command line, or **Models** at the top, shows which of them are champions. Runs with the same tag `pipeline` were
completed with the same params.yaml.
"""


def run_description(settings: Params, run: RunPaths, digest: str) -> str:
    """Markdown: network and data, main score, sizes, and where the report and the commit are."""
    block, record = settings.runs[run.name], training_record.read(run, digest)
    main = domains.DOMAINS[block.domain].main_score
    score, training = files.read_scores(run.scores).get(main.name), files.read_scores(run.training)
    shown = "not scored" if score is None else f"**{main.title} {score:.4g}** on the test split"
    sizes = ", ".join(f"{training[key]:,} {key}" for key in ("parameters", "epochs") if key in training)
    commit = record.tags.get("git.commit") if record else None
    origin = f"Trained at commit `{commit[:10]}`" if commit else "Trained outside of git, or elsewhere"
    changed = ", with changes" if record and record.tags.get("git.dirty") == "True" else ""
    report = f"Report: `reports/report.html#run-{run.name}`, and the artifacts `evaluation/` and `figures/`."
    return f"`{block.model.name}` on `{run.dataset}`: {shown}; {sizes}.\n\n{origin}{changed}. {report}"


def pipeline_tag(paths: ProjectPaths) -> str:
    """The same for all runs that were completed with one params.yaml."""
    return provenance.digest(paths.params.read_text(encoding="utf-8"))[:8]
