"""MLflow, a view of the files: runs recorded live during training and completed from the files afterwards.

No other package imports mlflow.
"""

from cvnlp import hand_over

if hand_over.is_module(f"{__name__}.recorder"):  # and before it imports anything
    hand_over.hand_over()
