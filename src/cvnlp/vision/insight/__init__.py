"""What image classifiers have learned, as arrays and numbers."""

from cvnlp.vision.insight.analyse import analyse

METRICS = ("worst_case_accuracy", "detection_test_map")  # of DVC and MLflow
__all__ = ["METRICS", "analyse"]
