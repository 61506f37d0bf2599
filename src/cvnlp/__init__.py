"""Neural networks for computer vision and natural language, as one reproducible pipeline."""
