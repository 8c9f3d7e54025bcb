"""Feedback: the formats that ship are registered as soon as anything of this room is imported."""

from stepalign.feedback import from_critiques, from_execution, from_peers, from_references

__all__ = ["from_critiques", "from_execution", "from_peers", "from_references"]
