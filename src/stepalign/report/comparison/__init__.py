"""The report of a comparison, and its table in the terminal."""
