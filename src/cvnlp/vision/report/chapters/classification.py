"""Chapters on classification by rules and by a multilayer perceptron."""

from collections.abc import Iterator

import pandas as pd

from cvnlp.data import prepared
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import Column, Section, Table
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import compared, listed, percent, sentence
from cvnlp.significance import statistics
from cvnlp.significance.difference import Difference
from cvnlp.vision.report.chapters import colour_rules

SHUFFLED = "shuffled.csv"  # of insight


def rules(results: Results) -> Section:
    """Hand-written rules, on photographs and on the project's own images."""
    found = colour_rules.patches()
    right = sum(patch.correct for patch in found)
    wet = [patch.predicted for patch in found if patch.actual == "water" and not patch.correct]
    sentences = [
        f"The rule 'mostly blue is sky, mostly green is plants' is right on {right} of {len(found)} patches of two "
        f"photographs. It takes {len(wet)} patches of water for sky or plants, and misses leaves that the sun or the "
        "shade has coloured: every exception needs another rule."
    ]
    run = results.first("rules")
    if run:
        sentences += _of_run(run, results)
    papers = [Paper("Dalal and Triggs 2005, features by hand", "https://doi.org/10.1109/CVPR.2005.177")]
    sources = Sources(("vision/models/rules.py", "vision/report/chapters/colour_rules.py"), run, papers)
    elements = [colour_rules.pictures(found), *results.shown(run, "confusion.png")]
    return chapter("Images by hand-written rules", "rules", sentences, elements, sources, results)


def _of_run(run: RunResults, results: Results) -> Iterator[str]:
    classes = prepared.read_facts(run.paths.prepared).classes  # type: ignore[union-attr]
    yield (
        f"On {run.block.dataset}, {run.name} classifies {percent(run.score)} of the test images correctly; guessing "
        f"one of {len(classes)} classes would classify {percent(1 / len(classes))}."
    )
    learned = results.best(other for other in results.on(run.block.dataset) if other.network != "rules")
    if learned:
        yield sentence(f"of the networks that learn from examples, the best is {learned.name}: {learned.against(run)}")


def perceptron(results: Results) -> Section:
    """What an MLP achieves, and what it loses by flattening images."""
    run = results.first("mlp")
    sentences = []
    if run:
        sentences = [
            f"{run.name} flattens each image into a vector and classifies {percent(run.score)} of the test images "
            f"correctly, with {run.training['parameters']:,} parameters."
        ]
    tables = {one.name: pd.read_csv(path) for one in results.runs if (path := one.paths.insight / SHUFFLED).is_file()}
    sentences += [_shuffled(name, table) for name, table in tables.items()]
    if tables:
        sentences.append(
            "A network that treats pixels as a vector has no use for their arrangement; a convolution does."
        )
    papers = [Paper("Rumelhart, Hinton and Williams 1986", "https://doi.org/10.1038/323533a0")]
    sources = Sources(("vision/models/mlp.py", "vision/insight/shuffled_pixels.py"), run, papers)
    elements = [*([_shuffled_table(tables)] if tables else []), *results.shown(run, "filters.png")]
    return chapter("Multilayer perceptron: what flattening loses", "mlp", sentences, elements, sources, results)


def _shuffled(name: str, table: pd.DataFrame) -> str:
    rows = table.set_index("pixels")
    count, shares = int(table["images"][0]), [float(rows["accuracy"][kind]) for kind in ("original", "shuffled")]
    low, high = statistics.unpaired_share_interval((round(shares[0] * count), round(shares[1] * count)), (count, count))
    found = Difference(shares[0] - shares[1], low, high, None, "")
    clause = compared("the original order", "the shuffled one", found, higher_is_better=True, points=True)
    return sentence(f"for {name}, trained anew on images whose pixels are all shuffled in the same way, {clause}")


def _shuffled_table(tables: dict[str, pd.DataFrame]) -> Table:
    columns = [Column("run", list(tables))]
    for kind in ("original", "shuffled"):
        shares = [float(table.set_index("pixels")["accuracy"][kind]) for table in tables.values()]
        columns.append(Column(f"{kind} pixels", shares, ".1%"))
    first = next(iter(tables.values()))
    caption = (
        f"Validation accuracy ({first['images'][0]:,} images) of the networks of {listed(list(tables))}, each trained "
        f"anew for {first['epochs'][0]} epochs without augmentation, and of the same on images with shuffled pixels."
    )
    return Table("Shuffled pixels", tuple(columns), caption)


CHAPTERS = (rules, perceptron)
