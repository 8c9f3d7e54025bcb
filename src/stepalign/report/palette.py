"""The colours of A_t, in pictures as in page.css: orange and purple, which nobody's eyes confuse, or the paper's.

>>> COLOURS["paper"].up_line
'#b2182b'
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Palette = Literal["safe", "paper"]


class Colours(NamedTuple):
    """Of what is above 0 and below: of areas and behind tokens, and of the line below a token."""

    up: str
    down: str
    up_line: str
    down_line: str


COLOURS: dict[Palette, Colours] = {
    "safe": Colours("#f1a340", "#998ec3", "#b35806", "#542788"),
    "paper": Colours("#ef8a62", "#67a9cf", "#b2182b", "#2166ac"),
}
