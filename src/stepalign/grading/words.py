r"""Answers that are words, choices or times of day: what is decided without mathematics.

- A word is compared as a word, whatever its case: "YES" is yes, "evelyn" is Evelyn, and "May" is not Amy. Letters
  without a vowel ("GMm", "xyz") or two at most ("AB") are a product of symbols, except yes, no and the points of the
  compass.
- A choice is one capital letter from A to J, in all its spellings: "(C)", "C.", "C) 12", "(C) 12", "Option C",
  "Answer: C". Two letters are no choice.
- A time of day: "10:30", "5:00 p.m.", "5 PM", "17:00". A true time without a.m. or p.m. leaves the half of the day
  open; one with it does not.

    >>> words_outcome("Yes", "YES"), time_outcome("5:00 PM", "5:00 a.m.")
    (<Outcome.CORRECT: 'correct'>, <Outcome.WRONG: 'wrong'>)
    >>> choice("(C) 12")
    Choice(letter='C', text='12')
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stepalign.core.rollout import Outcome

_SHORT_WORDS = frozenset(("yes", "no", "true", "false", "up", "am", "pm"))
_SHORT_WORDS |= {"ne", "nw", "se", "sw", "nne", "ene", "ese", "sse", "ssw", "wsw", "wnw", "nnw"}
MOST_WORDS = 5  # what is longer is a sentence and no answer that can be told from another
_WORD = re.compile(r"[^\W\d_]+(?:[ '-]+[^\W\d_]+)*")
_SENTENCE = re.compile(r"(?<![\\A-Za-z])[^\W\d_][^\W\d_']+[,;:]? [^\W\d_]{2,}")
_MATHEMATICAL = frozenset(
    """sqrt sin cos tan cot sec csc sinh cosh tanh log ln exp arcsin arccos arctan asin acos atan infinity
    inf alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau upsilon
    phi chi psi omega""".split()  # noqa: SIM905
)
_JOINING = frozenset(["or", "and", "in", "to", "mod", "if", "for", "where"])

_LABEL = (
    r"(?:the\s+)?(?:(?:correct|final|right)\s+)?(?:answer|option|choice)(?:\s+is)?\s*:?\s*(?:option\s+|choice\s+)?"
    r"|选项?\s*"
)
_CHOICE = re.compile(
    rf"(?P<label>(?i:{_LABEL}))?(?:\(\s*(?P<inside>[A-J])\s*\)|\[\s*(?P<square>[A-J])\s*\]"
    r"|(?P<bare>[A-J])(?P<mark>\)|\.|:(?=[\s\d]))?)"
    r"(?P<rest>\s*[.:,]?\s*\S.*)?",
    re.DOTALL,
)
_OTHER_CHOICE = re.compile(r"\([A-J]\)|(?<![A-Za-z\\])[A-J](?:[).:]|$)|(?<![A-Za-z])(?:or|and)\s+\(?[A-J]\b")
_SAYS_SO = re.compile(r"is (?:the )?(?:correct|right|answer)(?: (?:answer|option|choice))?")
_FORMULA_GOES_ON = re.compile(r"\s*(?:[+*/^_=<>|!&,]|- |\\(?:cdot|times|le|ge|in|cup|cap|pm)\b|(?:or|and)\b)")

_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?:\s*:\s*(?P<minute>[0-5]\d)(?:\s*:\s*(?P<second>[0-5]\d))?)?\s*"
    r"(?:\"?\s*(?P<half>[ap])\.?\s*m\.?\s*\"?|(?P<noon>noon|midnight)|(?P<clock>o'clock|h))?",
    re.IGNORECASE,
)
_PADDED, _RATIO = re.compile(":0"), re.compile(r"\d+\s*[:/]\s*\d+|\\frac.*")  # "12:00" is no ratio
_NAMED_TIMES = {"noon": "12:00 pm", "midnight": "12:00 am"}


class Choice(NamedTuple):
    """A choice: its letter and the text that stands behind it."""

    letter: str
    text: str


def words_outcome(gold: str, answer: str) -> Outcome | None:
    """Whether two normalized texts are the same words; None where they are not both words."""
    gold, answer = _bare(gold).rstrip("!?"), _bare(answer).rstrip("!?")
    if not _WORD.fullmatch(gold) or not _WORD.fullmatch(answer):
        return None
    if max(len(gold.split()), len(answer.split())) > MOST_WORDS:
        return Outcome.UNPARSEABLE
    if is_words(gold) or is_words(answer):
        same = _listed(gold.casefold()) == _listed(answer.casefold())
        return Outcome.CORRECT if same else Outcome.WRONG
    return None


def is_words(text: str) -> bool:
    """Whether a normalized text is words and no product of symbols."""
    text = _bare(text)
    if text.casefold() in _SHORT_WORDS:
        return True
    if not _WORD.fullmatch(text):
        return False
    words = re.findall(r"[^\W\d_]+", text.replace("'", ""))
    if not _JOINING.isdisjoint(words) and min(map(len, words)) == 1:
        return False  # "x or y"
    return all(_is_word(word) or (len(words) > 1 and len(word) > 1) for word in words) and any(map(_is_word, words))


def is_sentence(normalized: str) -> bool:
    """Whether a text has words in a row, which a parser of formulas would read as the product of their letters."""
    text = re.sub(r'"', " ", normalized)
    pairs = (match[0].split() for match in _SENTENCE.finditer(text))
    return any(_MATHEMATICAL.isdisjoint(pair) and any(_is_word(word.strip(",;:")) for word in pair) for pair in pairs)


def choice(normalized: str) -> Choice | None:
    """The choice that a text is, None if it is anything else."""
    match = _CHOICE.fullmatch(_bare(normalized))
    if match is None:
        return None
    letter = match["inside"] or match["square"] or match["bare"]
    rest = (match["rest"] or "").strip(" .:")
    if rest:
        marked = match["label"] or match["inside"] or match["square"] or match["mark"]
        glued = match["rest"][0] not in " .:," and not match["rest"][0].isdigit() and match["mark"] != ")"
        if _SAYS_SO.fullmatch(rest):
            return Choice(letter, "")
        if not marked or glued or match["rest"].lstrip().startswith(",") or _FORMULA_GOES_ON.match(match["rest"]):
            return None
        if _OTHER_CHOICE.search(rest):
            return None
    return Choice(letter, rest)


def time_outcome(gold: str, answer: str) -> Outcome | None:
    """Whether two normalized texts are the same time of day; None where they are not both times."""
    a, b = _time(gold), _time(answer)
    if a is not None and b is None and (a[1] or _PADDED.search(gold)) and _RATIO.fullmatch(answer):
        return Outcome.WRONG
    if a is None or b is None or a[2]:
        return None
    (seconds, half, _), (other, other_half, _) = a, b
    if half is None and other_half is None:
        return Outcome.CORRECT if seconds == other else Outcome.WRONG
    if half is None:
        seconds, other = seconds % 43200, other % 43200
    return Outcome.CORRECT if seconds == other else Outcome.WRONG


def _time(text: str) -> tuple[int, str | None, bool] | None:
    """Seconds since midnight, the half of the day if it is stated, and whether the text might as well be a number."""
    match = _TIME.fullmatch(_NAMED_TIMES.get(_bare(text).casefold(), _bare(text)))
    if match is None:
        return None
    hour, half = int(match["hour"]), (match["half"] or "").casefold()
    if match["noon"]:
        half = "p" if match["noon"].casefold() == "noon" else "a"
    if hour > 24 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    seconds = (hour * 60 + int(match["minute"] or 0)) * 60 + int(match["second"] or 0)
    return seconds, half or None, match["minute"] is None and not half and not match["clock"]


def _is_word(word: str) -> bool:
    """Whether a run of letters is a word and no product of symbols or the name of a function."""
    if word.casefold() in _SHORT_WORDS:
        return True
    if word in _MATHEMATICAL or len(word) < 3:
        return False
    if not word.isascii():
        return True
    return word.istitle() or bool(re.search("[aeiou]", word)) or (len(word) > 2 and bool(re.search("[EIOU]", word)))


def _listed(words: str) -> list[str]:
    """The words, or the items of "red and blue" in any order."""
    return sorted(_singular(item) for item in re.split(r"\s+(?:and|or)\s+", words))


def _singular(words: str) -> str:
    words = re.sub(r"^(?:an?|the) ", "", words)
    return " ".join(
        word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word
        for word in words.replace("-", " ").split()
    )


def _bare(text: str) -> str:
    return " ".join(text.replace('"', " ").split())
