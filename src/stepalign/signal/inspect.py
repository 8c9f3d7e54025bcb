"""Inspect one response: what does each context change at each of its tokens, and is that where the error is?

    A_t = log p(y_t | x, c, y_<t) - log p(y_t | x, y_<t)          nats; arXiv 2606.11173

    >>> result = inspect_response(case, model, tokenizer)
    >>> len(result["contexts"]["stepalign"]["advantage"]) == len(result["tokens"])
    True
    >>> round(result["contexts"]["stepalign"]["localization"]["onset_share"], 1)
    1.0

The result is plain JSON: what `advantage.json` holds, and what the page, the figures and the terminal are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from torch.nn import Embedding
from transformers import PreTrainedModel

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError, DataError, ModelError
from stepalign.core.prompts import render_prompt
from stepalign.core.spans import RolloutTokens, rollout_tokens
from stepalign.core.token_classes import token_classes
from stepalign.core.tokenizer import Tokenizer
from stepalign.feedback.alignment import alignment
from stepalign.maths.detail import Detail
from stepalign.maths.localization import localization, step_statistics, unlocalized
from stepalign.models.loading import own_defaults, templates_for
from stepalign.models.prompts import Prompt, boundary, chat_prompts, encode
from stepalign.models.scoring import TokenScores, check_scoring, score_response
from stepalign.runs.rows import CritiqueRow
from stepalign.signal.case import Case
from stepalign.signal.detail import describe
from stepalign.signal.loss import read_loss
from stepalign.signal.notes import notes


class Prepared(NamedTuple):
    """A case in tokens."""

    prompt_templates: str
    response_ids: tuple[int, ...]
    student: Prompt
    teachers: dict[str, Prompt]


def inspect_response(
    case: Case, model: PreTrainedModel, tokenizer: Tokenizer, num_alternatives: int = 5
) -> dict[str, Any]:
    """Score the response under every context and measure where each acts.

    Args:
        case: what to look at; its model is the one loaded.
        model: a causal LM in evaluation mode, with the case's adapter.
        tokenizer: the model's.
        num_alternatives: how many of the likeliest tokens of student and self-teacher are told at each token.
    Returns:
        See `stepalign inspect --help`; lists are as long as the response's tokens, in nats.
    Raises:
        ConfigError: no contexts, or settings of the prompts that do not work.
        DataError: an empty response, or one that does not fit the context window, with or without a context.
        ModelError: tokenizer and model do not fit, or the model's logits are not finite.
    """
    prepared = prepare(case, model, tokenizer)
    tokens = rollout_tokens(tokenizer, case.as_rollout(prepared.response_ids))
    _check_step(case)
    check_scoring(model, prepared.student.ids)
    prompt_ids = {name: prompt.ids for name, prompt in prepared.teachers.items()}
    loss = read_loss(case.loss, "case")
    detail = Detail(num_alternatives, loss.made())
    scores = score_response(model, prepared.student.ids, prompt_ids, prepared.response_ids, detail=detail)
    _check_finite(scores, tokens.texts, model)
    described = describe(tokenizer, scores, loss)

    def seam(prompt: Prompt) -> dict[str, Any]:
        return boundary(tokenizer, prompt, case.response, prepared.response_ids)

    result: dict[str, Any] = {
        **_looked_at(case, prepared, model),
        "loss": loss.to_json(),
        "student_prompt": prepared.student.text,
        "boundary": seam(prepared.student),
        "response_token_ids": list(prepared.response_ids),
        "tokens": tokens.texts,
        "token_steps": tokens.steps,
        "token_classes": token_classes(tokens.texts),
        "student_top": described.student_top,
        "contexts": {
            name: {
                "context": case.contexts[name],
                "teacher_prompt": prompt.text,
                "boundary": seam(prompt),
                **_measures(case, name, scores[name], tokens),
                **described.contexts[name],
            }
            for name, prompt in prepared.teachers.items()
        },
    }
    return {**result, "notes": notes(result, is_micro=bool(own_defaults(model.config)))}


def prepare(case: Case, model: PreTrainedModel, tokenizer: Tokenizer) -> Prepared:
    """Render and tokenize the prompts and the response, and check that the model can take them."""
    if not case.contexts:
        raise ConfigError(
            "no contexts; expected at least one to compare with. Give --context NAME=TEXT, or 'contexts'."
        )
    response_ids = case.response_token_ids or tuple(encode(tokenizer, case.response))
    if not case.response.strip() or not response_ids:
        raise DataError("response is empty; expected what the solver wrote, at least one token.")
    templates = templates_for(case.prompt_templates, own_defaults(model.config))
    problem = case.as_rollout().problem
    kwargs, teacher_kwargs = case.chat_template_kwargs, case.teacher_chat_template_kwargs
    (student,) = chat_prompts(tokenizer, [render_prompt(templates, "student", problem=problem)], kwargs)
    texts = [render_prompt(templates, "teacher", problem=problem, context=Context(c)) for c in case.contexts.values()]
    teachers = chat_prompts(tokenizer, texts, kwargs if teacher_kwargs is None else teacher_kwargs)
    prepared = Prepared(templates, response_ids, student, dict(zip(case.contexts, teachers, strict=True)))
    _check_ids(prepared, model, case.model)
    _check_same_text(case, tokenizer)
    _check_window(prepared, model)
    return prepared


def _looked_at(case: Case, prepared: Prepared, model: PreTrainedModel) -> dict[str, Any]:
    return {
        "model": case.model,
        "adapter": case.adapter,
        "dtype": str(model.dtype).removeprefix("torch."),
        "prompt_templates": prepared.prompt_templates,
        "problem": case.problem,
        "answer": case.answer,
        "response": case.response,
        "rollout": dict(case.rollout) or None,
        "first_wrong_step": case.first_wrong_step or None,
        "first_wrong_step_source": case.first_wrong_step_source,
        "critique": case.critique and CritiqueRow.of(case.critique).to_json(),
    }


def _measures(case: Case, name: str, scores: TokenScores, tokens: RolloutTokens) -> dict[str, Any]:
    numbers = scores.to_json()
    advantage = numbers["advantage"]
    known = case.first_wrong_step_source is not None
    wrong = case.first_wrong_step or None
    where = localization(advantage, tokens.steps, wrong) if known else unlocalized(advantage)
    return {
        **numbers,
        "steps": [step.to_json() for step in step_statistics(advantage, tokens.steps)],
        "localization": where.to_json(),
        "alignment": alignment(case.as_rollout().trace, case.contexts[name], wrong).to_json(),
    }


def _check_step(case: Case) -> None:
    steps = case.as_rollout().trace.steps
    if not 0 <= (case.first_wrong_step or 0) <= len(steps):
        raise DataError(
            f"first_wrong_step is {case.first_wrong_step}; the response has {len(steps)} steps, counted from 1. "
            "Correct it, or give 0 where no step is wrong."
        )


def _check_ids(prepared: Prepared, model: PreTrainedModel, name: str) -> None:
    size = cast("Embedding", model.get_input_embeddings()).weight.shape[0]
    prompts = [prepared.student, *prepared.teachers.values()]
    highest = max(max(ids) for ids in (prepared.response_ids, *(prompt.ids for prompt in prompts)))
    if highest >= size:
        raise ModelError(
            f"tokenizer and model '{name}' do not fit: token id {highest}, but the model has a vocabulary of {size}. "
            "Use the tokenizer that the model was trained with (or, with response_token_ids, its own ids)."
        )


def _check_same_text(case: Case, tokenizer: Tokenizer) -> None:
    """Ids that were given are those of the response, special tokens aside."""
    ids = list(case.response_token_ids)
    texts = [tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False)]
    if ids and case.response not in texts:
        at = next((i for i, (a, b) in enumerate(zip(texts[0], case.response, strict=False)) if a != b), 0)
        raise DataError(
            f"response_token_ids are not the response's: they read {texts[0][at : at + 30]!r} where it reads "
            f"{case.response[at : at + 30]!r}. Leave them out, or give the ids that were sampled with this model."
        )


def _check_window(prepared: Prepared, model: PreTrainedModel) -> None:
    window = getattr(cast("Any", model.config).get_text_config(), "max_position_embeddings", None)
    if window is None:
        return
    num_response = len(prepared.response_ids)
    if len(prepared.student.ids) + num_response > window:
        raise DataError(
            f"response does not fit: {num_response} tokens after a prompt of {len(prepared.student.ids)}; the model's "
            f"context window has {window}. Shorten it, or take a model with a longer window."
        )
    for name, prompt in prepared.teachers.items():
        if len(prompt.ids) + num_response > window:
            raise DataError(
                f"context '{name}' does not fit: its prompt has {len(prompt.ids)} tokens, the response {num_response}; "
                f"the model's context window has {window}. Shorten the context; it is never cut."
            )


def _check_finite(scores: Mapping[str, TokenScores], texts: Sequence[str], model: PreTrainedModel) -> None:
    for name, of_context in scores.items():
        good = of_context.advantage.isfinite() & of_context.divergence.isfinite()
        if not good.all():
            at = int((~good).nonzero()[0])
            raise ModelError(
                f"log-probabilities under context '{name}' are not finite from token {at} ({texts[at]!r}) on; expected "
                f"finite numbers. The weights are damaged, or too large for {model.dtype}: try --dtype float32."
            )
