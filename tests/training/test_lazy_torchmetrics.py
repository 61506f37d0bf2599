"""torchmetrics is loaded only as far as Lightning needs it, and completely once something else is used."""

import subprocess
import sys

CHECK = """
import sys
import cvnlp.training.trainer
assert "torchvision" not in sys.modules and "scipy.signal" not in sys.modules
import torchmetrics
assert torchmetrics.__version__ and issubclass(torchmetrics.MetricCollection, object)
from torchmetrics import Metric, MeanMetric
import torchmetrics.classification
assert issubclass(MeanMetric, Metric) and torchmetrics.Metric is Metric
assert torchmetrics.Accuracy is torchmetrics.classification.Accuracy
try:
    torchmetrics.Nothing
except AttributeError as error:
    assert "Nothing" in str(error)
else:
    raise SystemExit("an unknown name was found")
"""


def test_lightning_loads_a_part_and_other_names_the_whole() -> None:
    subprocess.run([sys.executable, "-c", CHECK], check=True)
