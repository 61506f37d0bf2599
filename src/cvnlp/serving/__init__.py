"""Trained models in use: load one, and serve it over HTTP."""
