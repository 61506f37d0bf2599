"""Training with Lightning: trainer, base task, optimisers, schedules, averaging, gradient-free learning."""
