"""The stages of the pipeline; each reads params.yaml, calls the library and writes its outputs."""
