"""The run directory: what a run leaves on disk, one class a kind of row and one name a file. No torch."""
