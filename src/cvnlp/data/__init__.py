"""What the data of both halves share: downloads, user files, duplicates, prepared arrays."""
