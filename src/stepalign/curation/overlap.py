"""Near-duplicates by shared runs of words.

A text is its set of runs of n words (8), lower case, without the punctuation around a word; a text of fewer words is
one run. The overlap of two texts is the number of shared runs over that of the shorter text's runs. With an evaluation
problem any shared run is too much by default: the rule of s1 (arXiv 2501.19393, 8 words) and, with 13 words, of GPT-3
(arXiv 2005.14165). Two problems of a training set are one when they share more than half of the runs. Problems that
differ in their numbers alone stay, unless a long text around the numbers is the same; paraphrases are not found.

    >>> index = RunIndex(4)
    >>> index.add("mine", "Find the sum of 3 and 4.")
    >>> index.nearest(runs("find the sum of 3 and 5", 4))
    (0.75, 'mine')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

PUNCTUATION = ".,;:!?()[]{}\"'`$*_"


def words(text: str) -> list[str]:
    """Lower-case words without the punctuation around them; what is nothing else is no word."""
    stripped = (word.strip(PUNCTUATION) for word in text.casefold().split())
    return [word for word in stripped if word]


def runs(text: str, n: int) -> set[int]:
    """A 64-bit number for each run of n words, one for a shorter text; empty for a text without words."""
    found = words(text)
    return {_number(found[i : i + n]) for i in range(max(1, len(found) - n + 1))} if found else set()


def text_key(text: str) -> int:
    """A 64-bit number that texts of the same words share."""
    return _number(words(text))


class RunIndex:
    """Texts to be found again by their runs, in memory: for evaluation sets."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._owners: dict[int, list[int]] = {}

    def add(self, name: str, text: str) -> None:
        """Let `nearest` find this text, under a name."""
        found = runs(text, self.n)
        for run in found:
            self._owners.setdefault(run, []).append(len(self._names))
        self._names.append(name)
        self._sizes.append(len(found))

    def nearest(self, found: Iterable[int]) -> tuple[float, str]:
        """The largest overlap with one text, and that text's name; 0 and "" where no run is shared."""
        found = list(found)
        shared = Counter(owner for run in found for owner in self._owners.get(run, ()))
        shares = ((count / min(len(found), self._sizes[owner]), owner) for owner, count in shared.items())
        share, owner = max(shares, default=(0.0, -1))
        return share, self._names[owner] if owner >= 0 else ""


def _number(of: list[str]) -> int:
    digest = blake2b(" ".join(of).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
