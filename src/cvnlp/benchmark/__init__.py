"""The tables and figures of benchmarks/: trained runs next to published results."""
