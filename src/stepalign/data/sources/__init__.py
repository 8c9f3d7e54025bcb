"""Problem sources: files, datasets of the hub, and what Python holds; each row is read into a `Problem`.

from stepalign.data.sources import open_source

for entry in open_source("gsm8k", split="test"):
    print(entry.problem)
"""

from stepalign.data.sources.registered import SOURCES, find_source
from stepalign.data.sources.stream import Entry, ProblemStream, open_source

__all__ = ["SOURCES", "Entry", "ProblemStream", "find_source", "open_source"]
