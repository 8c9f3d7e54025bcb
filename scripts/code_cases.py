"""Programs with a syntax error under four shipped feedback formats: two cases in examples/cases, made here.

    python -m scripts.code_cases --output_dir examples/cases

fizzbuzz-execution.yaml has the program of fizzbuzz-syntax-error.yaml, micro-code-execution.yaml the first problem of
the code world with a guard (seed 1), in the solver's words, the guard's colon left out. Each is really run;
`execution` and `execution_aligned` are what the formats make of the outcome, `stepalign` is a critique that rewrites
the wrong line, `refsol` another author's program.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import yaml

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.files import write_text
from stepalign.core.problem import Problem, Tests
from stepalign.core.program import render_program
from stepalign.core.rollout import Rollout
from stepalign.feedback.formats import build_context
from stepalign.grading import Grader
from stepalign.micro.code import CodeWorld, code_problems
from stepalign.micro.code.critic import exact_program_critique
from stepalign.micro.code.spec import parse_spec
from stepalign.micro.code.wording import Style, program_lines, word_line

CASES = Path(__file__).parent.parent / "examples" / "cases"
SOURCE, NAME, MICRO_NAME = "fizzbuzz-syntax-error.yaml", "fizzbuzz-execution.yaml", "micro-code-execution.yaml"
FORMATS = ("execution", "execution_aligned", "stepalign", "refsol")
WRONG, RIGHT = "if i % 3 = 0", "if i % 3 == 0"
REFERENCE = """
def fizzbuzz(limit):
    words = {(True, True): "FizzBuzz", (True, False): "Fizz", (False, True): "Buzz"}
    return [words.get((k % 3 == 0, k % 5 == 0), str(k)) for k in range(1, limit + 1)]
""".strip()
EXPECTED = ["1", "2", "Fizz", "4", "Buzz"]
TESTS = Tests(asserts=(f"assert fizzbuzz(5) == {EXPECTED}", "assert fizzbuzz(15)[14] == 'FizzBuzz'"))
HEAD = "# Made by `python -m scripts.code_cases`: a program that does not compile under four feedback formats.\n"


class _Text(str):
    """A text that YAML writes as a block."""


def _block(dumper: yaml.SafeDumper, text: _Text) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")


yaml.SafeDumper.add_representer(_Text, _block)


def fizzbuzz_case() -> dict[str, Any]:
    """Problem, response and model of the other case, first wrong line and contexts as the formats make them."""
    source = yaml.safe_load((CASES / SOURCE).read_text(encoding="utf-8"))
    problem = Problem("fizzbuzz", source["problem"], solution=render_program(REFERENCE.splitlines()), tests=TESTS)
    rollout = Rollout(problem, 0, source["response"])
    steps = [
        CritiqueStep(step.text.replace(WRONG, RIGHT), "rewritten" if WRONG in step.text else "copied")
        for step in rollout.trace.steps
    ]
    wrong = next(i for i, step in enumerate(steps, 1) if step.origin == "rewritten")
    kept = {key: source[key] for key in ("model", "prompt_templates", "chat_template_kwargs")}
    return kept | _case(rollout, Critique("D", wrong, tuple(steps), None))


def micro_case() -> dict[str, Any]:
    """The code world's case, for its solver."""
    problem = next(p for p in code_problems(CodeWorld(), 20, seed=1) if ": if " in p.problem)
    lines = program_lines(parse_spec(problem.problem), style := Style(random.Random(1)))
    texts = [word_line(line, style).removesuffix(":" if line.kind == "if" else "\n") for line in lines]
    rollout = Rollout(problem, 0, render_program(texts))
    return {"model": "micro-code"} | _case(rollout, exact_program_critique(rollout))


def _case(rollout: Rollout, critique: Critique) -> dict[str, Any]:
    with Grader() as grader:
        rollout = rollout.graded(grader.grade(rollout.text, rollout.problem))
    made = {name: build_context(rollout, name, lambda rollouts: [critique]) for name in FORMATS}
    contexts = {name: _Text(context.text) for name, context in made.items() if context is not None}
    texts = {"problem": _Text(rollout.problem.problem), "response": _Text(rollout.text)}
    # a case file knows no tests: its steps are the lines of the response, of which the fence is the first
    return {**texts, "first_wrong_step": (critique.first_wrong_step or 0) + 1, "contexts": contexts}


def main() -> None:
    """Write the cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    directory: Path = parser.parse_args().output_dir
    directory.mkdir(parents=True, exist_ok=True)
    for name, case in {NAME: fizzbuzz_case(), MICRO_NAME: micro_case()}.items():
        write_text(directory / name, HEAD + yaml.dump(case, Dumper=yaml.SafeDumper, sort_keys=False, width=120))


if __name__ == "__main__":
    main()
