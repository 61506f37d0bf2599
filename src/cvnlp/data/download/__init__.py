"""Downloads of published data sets, verified by SHA-256."""
