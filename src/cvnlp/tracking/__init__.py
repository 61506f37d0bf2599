"""MLflow, a view of the files: runs recorded live during training and completed from the files afterwards.

No other package imports mlflow.
"""
