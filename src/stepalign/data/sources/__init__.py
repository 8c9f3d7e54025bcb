"""Problem sources: datasets of the hub and local files, each row read into a `Problem`, one small file a dataset.

from stepalign.data.sources import open_source

for entry in open_source("gsm8k", split="test"):
    print(entry.problem)
"""

from stepalign.data.sources.stream import SOURCES, Entry, ProblemStream, find_source, open_source

__all__ = ["SOURCES", "Entry", "ProblemStream", "find_source", "open_source"]
