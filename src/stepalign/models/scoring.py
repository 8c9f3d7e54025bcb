"""Score a response: how much does each context favour each of its tokens? Used by `inspect`, by probes in training and
before a run.

    A_t = log p(y_t | x, c, y_<t) - log p(y_t | x, y_<t)          arXiv 2606.11173

The student reads prompt and response, each teacher the same response after a prompt with its context. Both are joined
by token ids, so a response is scored with its own ids whatever stands before it. Of each forward pass only the last
hidden states that predict the response are kept; the head is applied to them chunk by chunk (`stepalign.maths.scores`),
so the logits of the whole response never exist at once. The student is forwarded once for all contexts.

    >>> student, teacher, response = (tokenizer.encode(text) for text in ("2 + 2?", "2 + 2? It is 4.", "4"))
    >>> scores = score_response(model, student, {"hint": teacher}, response)
    >>> scores["hint"].advantage.shape      # A_t, (T,), nats
    torch.Size([1])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from stepalign.core.errors import ModelError
from stepalign.maths.detail import Detail
from stepalign.maths.scores import TokenScores, score_tokens
from stepalign.models.evaluation_mode import evaluation_mode
from stepalign.models.head import detached_head, head_of

if TYPE_CHECKING:
    from peft import PeftModel

__all__ = ["Scorable", "TokenScores", "check_scoring", "score_response", "score_responses"]

TeacherModel = Callable[[], AbstractContextManager[PreTrainedModel]]
PROBED_TOKENS = 4  # whose logits `check_scoring` compares


class Scorable(NamedTuple):
    """One response with the prompts it is scored under: ids, the teachers' by the name of their context."""

    student_prompt_ids: Sequence[int]
    teacher_prompt_ids: Mapping[str, Sequence[int]]
    response_ids: Sequence[int]


def score_response(
    model: PreTrainedModel,
    student_prompt_ids: Sequence[int],
    teacher_prompt_ids: Mapping[str, Sequence[int]],
    response_ids: Sequence[int],
    *,
    teacher: TeacherModel | None = None,
    chunk_size: int | None = None,
    detail: Detail | None = None,
) -> dict[str, TokenScores]:
    """Scores of one response under each context.

    Args:
        model: a causal LM of transformers, with a PEFT adapter or none; not wrapped for distributed training. It is in
            evaluation mode meanwhile.
        student_prompt_ids: the prompt without a context, at least one token.
        teacher_prompt_ids: the prompt with the context, by the context's name.
        response_ids: the response, at least one token.
        teacher: gives the teacher's model for a `with` block, such as one that switches the adapter off; None: `model`.
        chunk_size: most tokens whose logits exist at once; None: a fixed budget of memory.
        detail: what else to see of each token, in the same pass; None: nothing.
    Returns:
        By context, in the order given. In float32 they agree with a float64 forward pass within 1e-4 nats; in half
        precision as far as the model itself does.
    Raises:
        ModelError: the model's parts cannot be told apart, or its adapter adds virtual tokens.
    """
    item = Scorable(student_prompt_ids, teacher_prompt_ids, response_ids)
    return score_responses(model, [item], teacher=teacher, batch_size=1, chunk_size=chunk_size, detail=detail)[0]


@torch.no_grad()
def score_responses(
    model: PreTrainedModel,
    items: Sequence[Scorable],
    *,
    teacher: TeacherModel | None = None,
    batch_size: int = 8,
    chunk_size: int | None = None,
    detail: Detail | None = None,
) -> list[dict[str, TokenScores]]:
    """`score_response` of several, `batch_size` sequences in a forward pass, padded on the right."""
    with evaluation_mode(model):
        # a teacher may put its weights in the student's parameters: keep the student's own
        head = head_of(model) if teacher is None else detached_head(model)
        sequences = [(item.student_prompt_ids, item.response_ids) for item in items]
        student = _hidden_states(model, sequences, batch_size)
    with nullcontext(model) if teacher is None else teacher() as tutor, evaluation_mode(tutor):
        teacher_head = head_of(tutor)  # here: an adapter may have a head of its own
        sequences = [(prompt, item.response_ids) for item in items for prompt in item.teacher_prompt_ids.values()]
        taught = iter(_hidden_states(tutor, sequences, batch_size))
        scores: list[dict[str, TokenScores]] = []
        for hidden, item in zip(student, items, strict=True):
            token_ids = torch.tensor(list(item.response_ids), device=hidden.device)
            contexts = [next(taught) for _ in item.teacher_prompt_ids]
            of_item = score_tokens(
                hidden, contexts, head, token_ids, teacher_head=teacher_head, chunk_size=chunk_size, detail=detail
            )
            scores.append(dict(zip(item.teacher_prompt_ids, of_item, strict=True)))
    return scores


def check_scoring(model: PreTrainedModel, token_ids: Sequence[int]) -> None:
    """Compare the logits that scoring computes with the model's own, on the first few of `token_ids`.

    Raises:
        ModelError: they differ, as with an adapter on the head, or a model that treats its logits in a way of its own.
    """
    ids = torch.tensor([list(token_ids[:PROBED_TOKENS])], device=model.device)
    with torch.no_grad(), evaluation_mode(model):
        own = model(input_ids=ids, use_cache=False).logits[0].float()
        head = head_of(model)
        hidden = _backbone(model)(input_ids=ids, use_cache=False).last_hidden_state[0]
        ours = head.finish_logits_(hidden @ head.weight.to(hidden.dtype).t()).float()
    if not own.isfinite().all():
        return  # there is nothing to compare; whoever scores will see it
    tolerance = (1e-4 if hidden.dtype in (torch.float32, torch.float64) else 0.05) * max(1.0, float(own.abs().max()))
    if own.shape != ours.shape or float((own - ours).abs().max()) > tolerance:
        raise ModelError(
            f"logits of {type(model).__name__} ({model.config.model_type}) are not its head times its last hidden "
            "states; expected a plain head. Merge an adapter on the head into the model (merge_and_unload) first."
        )


def _hidden_states(
    model: PreTrainedModel, sequences: Sequence[tuple[Sequence[int], Sequence[int]]], batch_size: int
) -> list[Tensor]:
    """For each (prompt, response) the last hidden states that predict the response, (T, H), in order."""
    backbone, device = _backbone(model), model.device
    order = sorted(range(len(sequences)), key=lambda i: -sum(map(len, sequences[i])))
    states: list[Tensor] = [torch.empty(0)] * len(sequences)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        rows = [[*sequences[i][0], *sequences[i][1]] for i in batch]
        width = max(map(len, rows))
        inputs = {"input_ids": torch.tensor([row + [row[-1]] * (width - len(row)) for row in rows], device=device)}
        if any(len(row) < width for row in rows):
            mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
            inputs["attention_mask"] = torch.tensor(mask, device=device)
        hidden = backbone(**inputs, use_cache=False).last_hidden_state
        for i, row in zip(batch, hidden, strict=True):
            first = len(sequences[i][0]) - 1  # -1: the state at t predicts token t + 1
            states[i] = row[first : first + len(sequences[i][1])].clone()  # a copy, so that the rest can go
    return states


def _backbone(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its head; adapters on its layers stay in force.

    Raises:
        ModelError: it has none, or its adapter adds virtual tokens to the prompt.
    """
    if hasattr(model, "get_base_model"):
        wrapped = cast("PeftModel", model)
        if wrapped.active_peft_config.is_prompt_learning:
            kind = getattr(wrapped.active_peft_config.peft_type, "value", "an adapter")
            raise ModelError(
                f"adapter is {kind}, which adds virtual tokens to the prompt; expected one that changes weights, "
                "such as LoRA."
            )
        model = cast("PreTrainedModel", wrapped.get_base_model())
    if model.base_model is model:
        raise ModelError(f"{type(model).__name__} cannot be run without its head; expected a plain causal LM.")
    return cast("PreTrainedModel", model.base_model)
