r"""What a JSON string was meant to say where LaTeX was written with one backslash."""

import json

import pytest

from stepalign.feedback.critics.latex import mend_latex
from stepalign.feedback.critics.protocols import parse_object

COMMANDS = r"""
x \ne 0 | x\ne 0 | $a\ne b$ | a\neq b | \nu = 2 | E = h\nu | $\mu\nu = 3$ | \nexists x | $\nexists x$ | x is \nexists y
\not= 3 | x \notin A | A \nsubseteq B | A\nsubseteq B | a \nparallel b | A \nRightarrow B | \natural | \therefore x
\tfrac{1}{2} | \textsc{a} | 2\times 3 | x\to 0 | \tau | \tilde{x} | \tag{1} | \rho | \right) | a\rightarrow b | {\rm cm}
\beta | \binom{5}{2} | \begin{align} | \frac12 | \forall x | \underbrace{x} | \upsilon | \uparrow | \norm{x} | \rangle
\nolimits | \nonumber | \triangle ABC | a \nless b | x \nsim y | x, \neg P(x) | (\neg A) | 5\text{ cm} | \pmod{5}
\nearrow | A \ncong B | \nabla\cdot F | \textdegree | \left\lvert x \right\rvert | p \nmid q | \tbinom{5}{2} | \tanh y
"""
TEXTS = r"""
one\nu = 2 | = 5\nSo x | x = 2\ny = 3 | 2 + 3 = 5.\nthen 5 | Hence\nx = 3 | 5\nless than 6 | Take\na one | so\ni am
let\ne = 2.7 | a:\n\tx = 3 | a\n\nb | x\te | Name\tValue | if x:\n\treturn y | \n\t\tprint(x) | Sum:\nno carry
a \nThus | a;\nnow | x\ne^x | a\r\nb | There\nexists x | x = 5\nnine times | so\nmidpoint M | 3\napprox 3.1 | a\tb
"""


def listed(table):
    return [text.strip() for line in table.strip().splitlines() for text in line.split(" | ")]


def read(written):
    """The string as the parser of replies reads it."""
    return mend_latex(parse_object('{"case": "' + written + '"}')["case"])


@pytest.mark.parametrize("written", listed(COMMANDS))
def test_control_words_come_out_whole(written):
    assert read(written) == written
    assert read(written.replace("\\", "\\\\")) == written  # as JSON wants it


@pytest.mark.parametrize("written", listed(TEXTS))
def test_lines_and_indents_stay(written):
    assert read(written) == json.loads(f'"{written}"')
