"""The page and the terminal table of a preflight."""
