"""Published data: what there is (catalogue), and how it is brought here, whole and checked (fetching)."""
