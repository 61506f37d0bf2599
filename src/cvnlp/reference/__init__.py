"""The keys of params.yaml described for editors (JSON Schema) and readers (Markdown), from the typed models."""
