"""Conditions and seeds trained alike: the directory of a comparison, the processes that fill it, and its results."""
