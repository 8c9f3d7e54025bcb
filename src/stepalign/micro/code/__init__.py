"""The micro world in code: functions of one loop, a tiny solver that can write them but often slips, an exact critic.

Everything here is constructed, as in the world of arithmetic: it asks whether what that one showed was about columns of
digits or about feedback. Programs are really run to be graded.

    >>> from stepalign.micro.code import CodeWorld, code_problems
    >>> [problem] = code_problems(CodeWorld(), count=1, seed=0)
    >>> problem.problem.split(": ")[0]
    'Write f(n). Start with 5. For each i from 2 to n'
"""

from stepalign.micro.code.problems import CODE_SOLVER_DIR, CodeWorld, code_problems

__all__ = ["CODE_SOLVER_DIR", "CodeWorld", "code_problems"]
