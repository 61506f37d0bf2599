"""Which trained models are offered to others: gates, registration, and the champion of each data set."""
