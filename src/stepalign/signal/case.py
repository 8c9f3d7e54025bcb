"""A case: one response and the contexts to look at it under, from a YAML file, from a mapping, or from a rollout.

model: Qwen/Qwen3-0.6B            # directory, GGUF file or hub name; micro: the shipped solver
problem: Start with 47. Add 38.
response: "<step_1>47 + 38 = 75</step_1><answer>75</answer>"
contexts:                         # by a name of your own
  refsol: "47 plus 38 is 85."
  stepalign: "<step_1>47 + 38 = 85</step_1><answer>85</answer>"
first_wrong_step: 1               # 0: none is wrong; without it nothing is said about where the error is
# adapter, prompt_templates, chat_template_kwargs, teacher_chat_template_kwargs, answer, response_token_ids, loss

    >>> case = make_case(read_case_file(Path("examples/cases/micro-one-wrong-step.yaml")), "case.yaml")
    >>> case.first_wrong_step, list(case.contexts)
    (2, ['stepalign', 'refsol'])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import yaml

from stepalign.core.critique import Critique
from stepalign.core.errors import ConfigError, DataError, suggest
from stepalign.core.problem import Problem, Tests
from stepalign.core.rollout import FinishReason, Rollout
from stepalign.core.text import clean_value
from stepalign.feedback.critiques import first_wrong_step
from stepalign.signal.loss import read_loss


@dataclass(frozen=True)
class Case:
    """What is looked at.

    Attributes:
        model: directory, GGUF file or hub name of a causal LM.
        problem: what the solver was asked.
        response: what it wrote, character for character.
        contexts: texts that the teacher sees and the student does not, by name.
        adapter: directory or hub name of a PEFT adapter.
        prompt_templates: family of the prompts; None: what the model's config says, else steps.
        chat_template_kwargs: of the student's prompt.
        teacher_chat_template_kwargs: of the teacher's; None: as the student's.
        loss: of training, for what it does to the logits (`stepalign.signal.loss`); None: train's own defaults.
        first_wrong_step: counts from 1; 0: none is wrong; None: not known.
        answer: the right answer, for the record.
        solution: the problem's reference solution, which `@solution` stands for on the command line.
        response_token_ids: ids as they were sampled; empty: those that the tokenizer gives for the response.
        tests: of a problem that asks for a program; the steps of the response are then its program's lines.
        critique: of the response, where a critic gave one or the run has it on record.
        first_wrong_step_source: who said which step is wrong; None where nobody did.
        finish_reason: "length" where the token limit cut the response off.
        rollout: where the response is from, for the record.
    """

    model: str
    problem: str
    response: str
    contexts: Mapping[str, str]
    adapter: str | None = None
    prompt_templates: str | None = None
    chat_template_kwargs: Mapping[str, Any] | None = None
    teacher_chat_template_kwargs: Mapping[str, Any] | None = None
    loss: Mapping[str, Any] | None = None
    first_wrong_step: int | None = None
    answer: str | None = None
    solution: str | None = None
    response_token_ids: tuple[int, ...] = ()
    tests: Tests | None = None
    critique: Critique | None = None
    first_wrong_step_source: str | None = None
    finish_reason: FinishReason = "stop"
    rollout: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_rollout(self, token_ids: tuple[int, ...] = ()) -> Rollout:
        """The response as critics and measures want it."""
        name = str(self.rollout.get("problem_id", "case"))
        problem = Problem(name, self.problem, self.answer or "", self.solution, tests=self.tests)
        sample = int(self.rollout.get("sample", 0))
        return Rollout(problem, sample, self.response, token_ids or self.response_token_ids, self.finish_reason)

    def judged(self, critique: Critique) -> Case:
        """The case with a critique and the first wrong step that it names, unless somebody said so before."""
        if self.first_wrong_step_source is not None and self.first_wrong_step_source != "critique":
            return replace(self, critique=critique)
        step = first_wrong_step(self.as_rollout(), critique) or 0
        return replace(self, critique=critique, first_wrong_step=step, first_wrong_step_source="critique")


NOT_IN_FILES = ("tests", "critique", "first_wrong_step_source", "finish_reason", "rollout")
KEYS = tuple(f.name for f in fields(Case) if f.name not in NOT_IN_FILES)
NAMES = ("model", "adapter", "prompt_templates")  # may be paths, whose bytes are what they are
TEXTS = ("model", "problem", "response")
OPTIONAL_TEXTS = ("adapter", "prompt_templates", "answer", "solution")
TEMPLATE_KWARGS = ("chat_template_kwargs", "teacher_chat_template_kwargs")
MAPPINGS = {**dict.fromkeys(TEMPLATE_KWARGS, "{enable_thinking: false}"), "loss": "{divergence: reverse_kl}"}


def read_case_file(path: Path) -> dict[str, Any]:
    """The mapping in a case file; its keys are checked, its values are not yet.

    Raises:
        DataError: no such file, not UTF-8, or not YAML (with the line).
        ConfigError: not a mapping, or an unknown key.
    """
    try:
        values: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a case in YAML. Check the path.") from None
    except IsADirectoryError:
        raise DataError(
            f"{path}: got a directory; expected a case in YAML. For rollouts of a run: --run {path}"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start + 1} is not UTF-8. Save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        raise DataError(
            f"{where}: not YAML ({what}). Correct it; a text with ': ' or '#' in it needs quotes."
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: got a {type(values).__name__}; expected keys and values: {', '.join(KEYS)}.")
    found = cast("dict[str, Any]", values)
    check_keys(found, str(path))
    return found


def check_keys(values: Mapping[str, object], where: str) -> None:
    """Raises ConfigError for the first key that a case has not, with the nearest one."""
    for key in values:
        if key not in KEYS:
            raise ConfigError(f"{where}: unknown key '{key}'{suggest(str(key), KEYS)}")


def make_case(values: Mapping[str, Any], where: str, step_source: str = "case file") -> Case:
    """The case that a mapping describes.

    Args:
        values: by the names of `KEYS`; None counts as not given.
        where: opens every message.
        step_source: what `first_wrong_step_source` becomes where the first wrong step is given.
    Raises:
        ConfigError: an unknown key, one that is missing, or a value of the wrong kind.
    """
    check_keys(values, where)
    given = {key: value if key in NAMES else clean_value(value) for key, value in values.items() if value is not None}
    for key in TEXTS:
        if key not in given:
            got = ", ".join(f"'{name}'" for name in given) or "nothing"
            raise ConfigError(f"{where}: '{key}' is missing; got {got}. Add it, or give --{key}.")
        _check_text(given[key], key, where)
    for key in OPTIONAL_TEXTS:
        if key in given:
            given[key] = str(given[key]) if _is_number(given[key]) else given[key]
            _check_text(given[key], key, where)
    for key, example in MAPPINGS.items():
        if not isinstance(given.get(key, {}), dict):
            raise ConfigError(f"{where}: '{key}' is {given[key]!r}; expected a mapping, as {example}.")
    read_loss(given.get("loss"), where)
    given["contexts"] = _contexts(given.get("contexts", {}), where)
    given["response_token_ids"] = _token_ids(given.get("response_token_ids", []), where)
    step = given.get("first_wrong_step")
    if step is not None and (not isinstance(step, int) or isinstance(step, bool) or step < 0):
        raise ConfigError(
            f"{where}: 'first_wrong_step' is {step!r}; expected a step's number, or 0 where none is wrong."
        )
    return Case(**given, first_wrong_step_source=None if step is None else step_source)


def _contexts(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: 'contexts' is {value!r}; expected a mapping from names to texts.")
    contexts = cast("dict[object, object]", value)
    for name, text in contexts.items():
        if not isinstance(text, str):
            raise ConfigError(f"{where}: context '{name}' is {text!r}; expected text. Put it in quotes.")
    return {str(name): str(text) for name, text in contexts.items()}


def _token_ids(value: object, where: str) -> tuple[int, ...]:
    ids = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [None]
    whole = tuple(x for x in ids if isinstance(x, int) and not isinstance(x, bool) and x >= 0)
    if len(whole) < len(ids):
        raise ConfigError(f"{where}: 'response_token_ids' is {value!r}; expected a list of whole numbers.")
    return whole


def _check_text(value: object, key: str, where: str) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: '{key}' is {value!r}; expected text. Put it in quotes.")
    if not value.strip():
        raise DataError(f"{where}: '{key}' is empty; expected text. Fill it in.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
