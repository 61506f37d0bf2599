"""The only part that knows MLflow, which is a view of the files: `live` shows a training, `project` completes it."""
