"""The FizzBuzz program with a syntax error under four shipped feedback formats: a case in examples/cases, made here.

    python -m scripts.code_cases --output_dir examples/cases

The program is that of fizzbuzz-syntax-error.yaml. It is really run; `execution` and `execution_aligned` are what the
formats make of the outcome, `stepalign` is a critique that rewrites the wrong line, `refsol` another author's program.
"""

from __future__ import annotations

import argparse
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

CASES = Path(__file__).parent.parent / "examples" / "cases"
SOURCE, NAME = "fizzbuzz-syntax-error.yaml", "fizzbuzz-execution.yaml"
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
    """The case: problem and response of the other one, first wrong line and contexts as the formats make them."""
    source = yaml.safe_load((CASES / SOURCE).read_text(encoding="utf-8"))
    problem = Problem("fizzbuzz", source["problem"], solution=render_program(REFERENCE.splitlines()), tests=TESTS)
    with Grader() as grader:
        rollout = Rollout(problem, 0, source["response"])
        rollout = rollout.graded(grader.grade(rollout.text, problem))
    steps = [
        CritiqueStep(step.text.replace(WRONG, RIGHT), "rewritten" if WRONG in step.text else "copied")
        for step in rollout.trace.steps
    ]
    wrong = next(i for i, step in enumerate(steps, 1) if step.origin == "rewritten")
    critique = Critique("D", wrong, tuple(steps), None)
    made = {name: build_context(rollout, name, lambda rollouts: [critique]) for name in FORMATS}
    kept = {key: source[key] for key in ("model", "prompt_templates", "chat_template_kwargs")}
    texts = {key: _Text(source[key]) for key in ("problem", "response")}
    # a case file knows no tests: its steps are the lines of the response, of which the fence is the first
    contexts = {name: _Text(context.text) for name, context in made.items() if context is not None}
    return {**kept, **texts, "first_wrong_step": wrong + 1, "contexts": contexts}


def main() -> None:
    """Write the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, required=True)
    directory: Path = parser.parse_args().output_dir
    directory.mkdir(parents=True, exist_ok=True)
    text = yaml.dump(fizzbuzz_case(), Dumper=yaml.SafeDumper, sort_keys=False, width=120)
    write_text(directory / NAME, HEAD + text)


if __name__ == "__main__":
    main()
