"""The micro world: chained column arithmetic, a tiny solver that can do it but often forgets a carry, an exact critic;
and beside it a second one, of code (`stepalign.micro.code`).

Everything here is constructed, so that the whole software runs on a real model on a laptop and every claim about a
trace can be checked exactly. Its numbers are no evidence about language models at large.

    >>> from stepalign.micro import World, make_problems, exact_critique, SOLVER_DIR
    >>> problems = make_problems(World(), count=3, seed=0)
"""

from stepalign.micro.critic import exact_critique
from stepalign.micro.problems import SOLVER_DIR, World, make_problems
from stepalign.micro.worlds import split_problems

__all__ = ["SOLVER_DIR", "World", "exact_critique", "make_problems", "split_problems"]
