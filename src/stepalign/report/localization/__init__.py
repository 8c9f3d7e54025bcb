"""The page and the terminal's view of labelled rollouts scored under several contexts."""
