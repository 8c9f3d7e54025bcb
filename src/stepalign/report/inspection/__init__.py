"""The page and the terminal's view of one inspection."""
