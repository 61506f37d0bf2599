"""The report: sections, figures and tables of all runs, and their aggregation over seeds."""
