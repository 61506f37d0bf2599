"""Whether a difference between two models is more than chance: tests, intervals, and what they are made of."""
