"""A run trained and scored with other seeds than its own, by the code of its training and evaluation."""

STATE, RESULT = "state", "result"  # folders of a seed that is resumed: its training, and what is kept
