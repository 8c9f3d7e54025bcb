"""The final answer in a text: where datasets put it, from GSM8K's `#### N` to a box or "the answer is".

>>> find_answer("48 / 2 = <<48/2=24>>24\\n#### 24")
Found(answer='24', solution='48 / 2 = 24')
>>> find_answer("so $x = \\\\boxed{3}$.").answer
'3'
>>> find_answer("I do not know.") is None
True
"""

from __future__ import annotations

import re
from typing import NamedTuple

NONE = {"", "n/a", "none", "null", "nan", "<na>"}  # texts by which datasets say that they have no answer
LONGEST_PLAIN = 200  # characters of a text that may be an answer by itself
MOST_WORDS = 12
NOTES = re.compile(r"<<[^<>\n]*>>")  # what GSM8K's calculator worked out
SAID = r"(?:the\s+)?(?:final\s+)?answer\s+is\s*:?\s*"
# a line of its own near the end: a heading of markdown begins with #### as well
HASHES = re.compile(rf"(?:^|\n)[ \t]*####[ \t]*([^\n]+?)[ \t]*(?:\s*{SAID}[^\n]*)?\s*\Z", re.IGNORECASE)
SENTENCE = re.compile(rf"(?:^|[\n.,;] ?|\b(?:so|thus|hence|therefore),?\s+){SAID}([^\n]+?)\s*\Z", re.IGNORECASE)
COLON = re.compile(r"(?:^|\n)[ \t]*(?:A|(?:Final )?Answer)[ \t]*:[ \t]*([^\n]+?)\s*\Z")
TAG = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
BOX = re.compile(r"\\(?:boxed|fbox)\s*(\{)|\\boxed\s+([^\s{$.,]+)")


class Found(NamedTuple):
    """An answer, and the text as a solution; None where the text says no more than the answer."""

    answer: str
    solution: str | None


def find_answer(text: str) -> Found | None:
    """The answer that a text marks as its final one, None where it marks none."""
    hashes = HASHES.search(text) if "####" in text else None
    if hashes:
        return Found(THOUSANDS.sub("", hashes[1]), NOTES.sub("", text[: hashes.start()]).strip() or None)
    boxed = last_boxed(text)
    if boxed:
        is_alone = re.fullmatch(r"[\s$]*\\(?:boxed|fbox)\s*\{?.*\}?[\s$.]*", text) and len(text) < len(boxed) + 16
        return Found(boxed, None if is_alone else text.strip())
    tags = TAG.findall(text)
    if tags and tags[-1].strip():
        return Found(tags[-1].strip(), text.strip())
    last = text.rstrip().rpartition("\n")[2].casefold()
    marked = (SENTENCE.search(text) or COLON.search(text)) if "answer" in last or last.startswith("a") else None
    if marked and _bare(marked[1]):
        return Found(_bare(marked[1]), text.strip() if text[: marked.start()].strip() else None)
    return None


def last_boxed(text: str) -> str:
    """The inside of the last closed box, empty where there is none."""
    for box in reversed(list(BOX.finditer(text))):
        if box[2]:
            return box[2]
        depth = 0
        for i in range(box.start(1), len(text)):
            depth += {"{": 1, "}": -1}.get(text[i], 0)
            if depth == 0:
                return text[box.end() : i].strip()
    return ""


def is_plain(text: str) -> bool:
    """Whether a text can be an answer by itself: one line, short, and of few words outside of formulas."""
    text = text.strip()
    words = re.sub(r"\$[^$]*\$|\\\w+|[{}]", " ", text).split()
    return "\n" not in text and len(text) <= LONGEST_PLAIN and len(words) <= MOST_WORDS


def known_answer(text: str) -> str:
    """The answer stripped, empty where the dataset says that it has none."""
    text = text.strip()
    return "" if text.casefold() in NONE else text


def _bare(text: str) -> str:
    """An answer without the stop of its sentence and the signs of a formula around it."""
    text = text.strip().rstrip(".").strip("*").strip()
    return text[1:-1].strip() if re.fullmatch(r"\$[^$]+\$", text) else text
