"""Problem sources: files, datasets of the hub, and what Python holds; each row is read into a `Problem`.

from stepalign.data.sources import open_source

    >>> from stepalign.data.sources import open_source
    >>> [entry.problem.id for entry in open_source("problems.jsonl")]       # or "gsm8k", which is on the hub
    ['micro-0000', 'micro-0001', 'micro-0002']
"""

from stepalign.data.sources.registered import SOURCES, find_source
from stepalign.data.sources.stream import Entry, ProblemStream, open_source

__all__ = ["SOURCES", "Entry", "ProblemStream", "find_source", "open_source"]
