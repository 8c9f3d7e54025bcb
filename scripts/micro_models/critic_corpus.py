"""What the micro critic is trained on: attempts at problems, a ground truth, and the corrected trace.

Most attempts are rollouts of the shipped solver, sampled once; the others are made, so that traces that are all right,
in other words, damaged or cut off occur often enough. Each time an attempt is used its ground truth is drawn anew: a
reference solution somewhere on the dials of the world, or the answer alone.

The target is the exact critic's verdict: right steps stay as they are. A step that is worked again takes the words of
the solver's step in its place, column by column, so that everything in the target can be read off the prompt: words
from the attempt, numbers from the problem and its ground truth.

    attempts = sample_attempts(model, tokenizer, make_chains(random.Random(0), 1000))
    for example in critic_examples(random.Random(0), 2, attempts):
        print(example.prompt, example.response)
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from tqdm import tqdm

from scripts.micro_models.corpus import CORPUS_WORLD, FAMILY, Example, enumeration, solver_trace
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.core.rollout import Rollout
from stepalign.core.trace import Step, Trace, render_steps
from stepalign.micro.arithmetic import columns
from stepalign.micro.critic import exact_critique
from stepalign.micro.problems import Chain, World, parse_problem, reference_solution, sample_chain
from stepalign.micro.wording import OTHER_AUTHOR, SOLVER, Style, word_step
from stepalign.models.prompts import chat_prompts

TEMPERATURE = 1.1  # of the attempts, as in training
MAX_ATTEMPT = 160  # tokens, as in training
MADE = 0.35  # share of attempts that are made, not sampled
ANSWER_ONLY = 0.1  # share of ground truths without a solution
DEFAULT_TRUTH = 0.5  # share of ground truths as the default world has them: all in other words, all worked
_COLUMN = re.compile(r"=\d+(?: ([a-z]+) \d+)?( ?[;,|/](?= ))?")


def make_chains(rng: random.Random, count: int) -> list[Chain]:
    """Problems for the attempts: half of the default world, half of the solver's corpus."""
    return [sample_chain(rng, rng.choice((World(), CORPUS_WORLD))) for _ in range(count)]


@torch.inference_mode()
def sample_attempts(model: Any, tokenizer: Any, chains: Sequence[Chain], batch_size: int = 512) -> list[Rollout]:
    """One rollout of the solver for each problem, as training would sample it; torch's random numbers decide."""
    rollouts: list[Rollout] = []
    for at in tqdm(range(0, len(chains), batch_size), unit="batch", desc="attempts"):
        problems = [Problem("", chain.text, str(chain.values[-1])) for chain in chains[at : at + batch_size]]
        prompts = chat_prompts(tokenizer, [render_prompt(FAMILY, "student", problem=p) for p in problems])
        texts = [prompt.text for prompt in prompts]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        output = model.generate(
            **inputs, do_sample=True, temperature=TEMPERATURE, top_k=0, top_p=1.0, max_new_tokens=MAX_ATTEMPT
        )
        for problem, ids in zip(problems, output[:, inputs["input_ids"].shape[1] :].tolist(), strict=True):
            finish = "stop" if tokenizer.eos_token_id in ids else "length"
            text = tokenizer.decode(ids, skip_special_tokens=True)
            rollouts.append(Rollout(problem, 0, text, finish_reason=finish))
    return rollouts


def critic_examples(rng: random.Random, count: int, attempts: Sequence[Rollout]) -> Iterator[Example]:
    """`count` examples; the same for the same state of `rng` and the same attempts."""
    for _ in range(count):
        rollout = _made_attempt(rng) if rng.random() < MADE else rng.choice(attempts)
        chain = parse_problem(rollout.problem.problem)
        solution = None if rng.random() < ANSWER_ONLY else _solution(chain, rng)
        yield Example(critic_prompt(rollout.problem, solution, rollout.trace), target(rollout))


def critic_prompt(problem: Problem, solution: str | None, trace: Trace) -> str:
    """The user message: what the critics' prompt family `bare` renders, which a test holds it to."""
    parts = [problem.problem]
    if solution:
        parts.append(f"<solution>\n{solution}\n</solution>")
    parts.append(f"<answer>{problem.answer}</answer>")
    parts.append(f"<attempt>\n{render_steps([step.text for step in trace.steps], trace.answer)}\n</attempt>")
    return "\n".join(parts)


def target(rollout: Rollout) -> str:
    """The corrected trace: the exact critic's, with steps worked again in the words of the solver's step there."""
    critique, chain = exact_critique(rollout), parse_problem(rollout.problem.problem)
    steps, texts, at = rollout.trace.steps, list[str](), 0  # at: solver's steps passed by
    known = {slot: words[0] for slot, words in SOLVER.items()}
    for step in reversed(steps):
        known.update(_words(step.text))  # the first use of a slot, for steps before it
    for k, corrected in enumerate(critique.steps):
        if corrected.origin == "copied":
            at = next(i for i in range(at, len(steps)) if steps[i].text == corrected.text) + 1
            texts.append(corrected.text)
            known.update(_words(corrected.text))
            continue
        own = steps[at] if corrected.origin == "rewritten" and at < len(steps) else None
        at += own is not None
        known.update(_words(own.text) if own else {})
        (op, operand), before = chain.operations[k], chain.before[k]
        style = _AsWorded(own, known)
        texts.append(word_step(op, operand, columns(before, op, operand), chain.values[k], style))
    return render_steps(texts, critique.answer)


class _AsWorded(Style):
    """The words of one solver's step, each column's separator and carry word its own; `known` where it has none."""

    def __init__(self, step: Step | None, known: Mapping[str, str]):
        super().__init__(random.Random(0), fixed=known)
        found = _COLUMN.findall(step.text) if step else []
        self.carries, self.separators = [carry for carry, _ in found], [separator for _, separator in found]
        self.column = 0

    def word(self, slot: str) -> str:
        own = {"carry": self.carries, "separator": self.separators}.get(slot, [])
        word = own[self.column] if self.column < len(own) else ""
        self.column += slot == "separator"
        return word or super().word(slot)


def _words(text: str) -> dict[str, str]:
    """The words of a step by slot, also of one that is damaged or cut off; of several in a slot the last."""
    found: dict[str, str] = {}
    for slot, pattern in _SLOTS.items():
        for match in pattern.finditer(text):
            found[slot] = match[1]
    return found


def _slot_pattern(slot: str) -> re.Pattern[str]:
    words = "|".join(re.escape(word) for author in (SOLVER, OTHER_AUTHOR) for word in author[slot])
    around = {
        "lead": rf"^({words})\b",
        "carry": rf"=\d+ ({words}) \d",
        "separator": rf"\d({words}) \d",
        "result": rf"\. ({words}) \d",
    }
    return re.compile(around.get(slot, rf"^\w+ ({words}) \d"))


_SLOTS = {slot: _slot_pattern(slot) for slot in SOLVER}


def _solution(chain: Chain, rng: random.Random) -> str:
    if rng.random() < DEFAULT_TRUTH:
        return reference_solution(chain, rng, 1.0, 0.0)
    return reference_solution(chain, rng, rng.choice((0.0, 0.0, 0.5, 1.0)), rng.choice((0.0, 0.25, 0.5, 0.5, 1.0)))


def _made_attempt(rng: random.Random) -> Rollout:
    """An attempt as a solver at any stage of its training might write it, sometimes damaged or cut off."""
    (chain,) = make_chains(rng, 1)
    problem = Problem("", chain.text, str(chain.values[-1]))
    if rng.random() < 0.03:
        return Rollout(problem, 0, rng.choice(("", enumeration(rng))), finish_reason="length")
    style = Style(rng, rng.choice((0.0,) * 8 + (0.5, 1.0)))
    forget = rng.choice((0.0, 0.0, 0.0, 0.1, 0.3))
    text = solver_trace(chain, rng, style, forget, condensed=0.05, skipped=0.03)
    damage = rng.random()
    if damage < 0.25:  # another digit somewhere, the later steps unaware of it
        at = rng.choice([match.start() for match in re.finditer(r"(?<!_)\d", text)])
        text = text[:at] + rng.choice("0123456789") + text[at + 1 :]
    elif damage < 0.4:
        return Rollout(problem, 0, text[: rng.randrange(len(text))], finish_reason="length")
    return Rollout(problem, 0, text)
