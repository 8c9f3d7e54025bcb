"""Real rollouts of the micro solver with the contexts to look at them under: the cases in examples/cases, made here.

    python -m scripts.micro_cases --output_dir examples/cases

Rule: one rollout a problem of examples/micro_problems.jsonl is sampled from the shipped solver (T = 1.1, seed 0). Of
each kind the first in the order of the problems is taken, whatever its A_t looks like:

    micro-all-correct           every step is right (case A)
    micro-one-wrong-step        right steps, then one that drops a carry or borrow, then steps right on what it left;
                                micro-same-message and micro-three-ways-to-quote look at the same rollout
    micro-error-not-corrected   the same with any error: it came out as a slip outside of the solver's training, which
                                the teacher does not correct
    micro-wrong-approach        cut off by the token limit

Contexts are made by the exact critic, from the problem's reference solution, and by the functions below. Another
machine may sample other rollouts: sums of floats differ in their last digit.

The micro world is constructed. Its solver knows a few hundred words; a sentence such as "Step 2 is wrong" is spelled in
small pieces and lies outside of what it was trained on, which is traces in step tags.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stepalign.core.critique import Critique
from stepalign.core.files import write_text
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import Step
from stepalign.data.problems import load_problems
from stepalign.evaluation.evaluate import sample_problems
from stepalign.feedback.critiques import first_wrong_step
from stepalign.micro import SOLVER_DIR, exact_critique
from stepalign.micro.arithmetic import columns, result
from stepalign.micro.problems import parse_problem
from stepalign.micro.wording import parse_step
from stepalign.models import Sampling, load_model, own_defaults

ROOT = Path(__file__).parent.parent
TEMPERATURE = 1.1
COLUMN = re.compile(r"[\d+*-]+=\d+(?: [a-z]+ \d+)?")  # with what is carried
HEAD = "# Made by `python -m scripts.micro_cases`; the micro world is constructed.\n"


@dataclass(frozen=True)
class Judged:
    """A rollout with its critique; `wrong` is the first wrong step, None where none is."""

    rollout: Rollout
    critique: Critique
    wrong: int | None


def sample_judged(problems: Sequence[Problem], seed: int) -> list[Judged]:
    """One rollout of the shipped solver for each problem, in their order, judged by the exact critic."""
    model, tokenizer = load_model(str(SOLVER_DIR), dtype="float32", device="cpu")
    own = own_defaults(model.config)
    sampling = Sampling(temperature=TEMPERATURE, max_new_tokens=own["max_new_tokens"], seed=seed)
    batches = sample_problems(model, tokenizer, problems, sampling, own["prompt_templates"])
    place = {problem.id: i for i, problem in enumerate(problems)}
    rollouts = sorted((r for batch in batches for r in batch), key=lambda r: place[r.problem.id])
    return [Judged(r, critique, first_wrong_step(r, critique)) for r in rollouts for critique in [exact_critique(r)]]


def has_one_wrong_step(judged: Judged) -> bool:
    """Right steps, then one wrong step, then steps that are right on what it left; finished, nothing skipped."""
    chain = parse_problem(judged.rollout.problem.problem)
    steps = judged.rollout.trace.steps
    whole = judged.rollout.finish_reason == "stop" and len(steps) == len(chain.operations)
    if judged.critique.case != "D" or not whole or (judged.wrong or 0) < 2:
        return False
    value, wrong = chain.start, list[int]()
    for step, (op, operand) in zip(steps, chain.operations, strict=True):
        worked = parse_step(step.text)
        if worked is None or worked.work is None or (worked.op, worked.operand) != (op, operand):
            return False
        if op == "-" and value < operand:
            return False
        right = columns(value, op, operand)
        wrong += [] if list(worked.work) == right and result(right) == worked.value else [step.index]
        value = worked.value
    return wrong == [judged.wrong]


def wrong_place(judged: Judged) -> int:
    """Where in the response the wrong step first differs from a right one in the same words: a character's offset."""
    step, column = _wrong_step(judged), _wrong_column(judged)
    if column is None:  # only the result is wrong
        return step.start + next(re.finditer(r"\d+\.$", step.text)).start()
    own, right = column
    return step.start + own.start() + _common(own.group(), _in_own_words(right, own.group()))


def drops_a_carry(judged: Judged) -> bool:
    """Whether the error is the one that this world is made of: a carry or borrow that was not written down."""
    column = _wrong_column(judged)
    return column is not None and " " in column[1] and column[0].group() == column[1].split(" ")[0]


def _wrong_step(judged: Judged) -> Step:
    assert judged.wrong is not None
    return judged.rollout.trace.steps[judged.wrong - 1]


def _wrong_column(judged: Judged) -> tuple[re.Match[str], str] | None:
    """The first wrong column of the wrong step as it stands there, and the right one."""
    step = _wrong_step(judged)
    corrected = judged.critique.steps[step.index - 1].text
    pairs = zip(COLUMN.finditer(step.text), COLUMN.findall(corrected), strict=False)
    return next(((own, right) for own, right in pairs if _numbers(own.group()) != _numbers(right)), None)


def _numbers(column: str) -> list[str]:
    return re.findall(r"[\d+*=-]+", column)


def _in_own_words(right: str, own: str) -> str:
    """The right column with the carry word of the solver's."""
    word = re.search(r" [a-z]+ ", own)
    return re.sub(r" [a-z]+ ", word.group(), right) if word else right


def _common(a: str, b: str) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def corrected_steps(judged: Judged) -> str:
    """The critic's trace from the first wrong step to the answer, in tags."""
    assert judged.wrong is not None
    steps = list(enumerate(judged.critique.steps, start=1))[judged.wrong - 1 :]
    lines = [f"<step_{i}>{step.text}</step_{i}>" for i, step in steps]
    return "\n".join([*lines, f"<answer>{judged.critique.answer}</answer>"])


def ways_to_quote(judged: Judged) -> dict[str, str]:
    """The paper's three ways to speak of a wrong step, for one rollout, and the first two without a sentence."""
    assert judged.wrong is not None
    verdict = f"Step {judged.wrong} is wrong. It should be:"
    right = " ".join(f"Step {i} is correct." for i in range(1, judged.wrong))
    return {
        "up_to_error": judged.critique.text,
        "quote_whole": f"{judged.rollout.text}\n{verdict}\n{corrected_steps(judged)}",
        "no_quote": f"{right} {verdict}\n{corrected_steps(judged)}",
        "quote_whole_tags": f"{judged.rollout.text}\n{judged.critique.text}",
        "no_quote_tags": corrected_steps(judged),
    }


def same_message(judged: Judged) -> dict[str, str]:
    """One judgement and one correction, once in the solver's words and once in another author's."""
    message = f"Step {judged.wrong} is wrong. Here is a correct solution:\n"
    assert judged.rollout.problem.solution is not None
    return {"aligned": message + judged.critique.text, "misaligned": message + judged.rollout.problem.solution}


def both(judged: Judged) -> dict[str, str]:
    """StepAlignFB and RefSol."""
    assert judged.rollout.problem.solution is not None
    return {"stepalign": judged.critique.text, "refsol": judged.rollout.problem.solution}


def micro_cases(judged: Iterable[Judged]) -> dict[str, dict[str, Any]]:
    """The cases by file name."""
    judged = list(judged)
    correct = next(j for j in judged if j.critique.case == "A")
    any_wrong = next(j for j in judged if has_one_wrong_step(j))
    wrong = next(j for j in judged if has_one_wrong_step(j) and drops_a_carry(j))
    out_of_tokens = next(j for j in judged if j.rollout.finish_reason == "length")
    quotes = {name: text for name, text in ways_to_quote(wrong).items() if not name.endswith("_tags")}
    return {
        "micro-all-correct": _case(correct, both(correct)),
        "micro-one-wrong-step": _case(wrong, both(wrong)),
        "micro-error-not-corrected": _case(any_wrong, both(any_wrong)),
        "micro-wrong-approach": _case(out_of_tokens, both(out_of_tokens)),
        "micro-same-message": _case(wrong, same_message(wrong)),
        "micro-three-ways-to-quote": _case(wrong, quotes),
    }


def _case(judged: Judged, contexts: dict[str, str]) -> dict[str, Any]:
    problem = judged.rollout.problem
    return {
        "model": "micro",
        "problem": problem.problem,
        "answer": problem.answer,
        "response": judged.rollout.text,
        "first_wrong_step": judged.wrong or 0,
        "contexts": contexts,
    }


class _Readable(yaml.SafeDumper):
    """Texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output_dir", type=Path, default=ROOT / "examples" / "cases")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    problems = load_problems(str(ROOT / "examples" / "micro_problems.jsonl"))
    for name, case in micro_cases(sample_judged(problems, args.seed)).items():
        text = yaml.dump(case, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=10_000)
        write_text(args.output_dir / f"{name}.yaml", HEAD + text)
        print(args.output_dir / f"{name}.yaml")


if __name__ == "__main__":
    main()
