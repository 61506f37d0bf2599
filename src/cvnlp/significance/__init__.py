"""Statistical significance of a difference between two models: tests and intervals."""
