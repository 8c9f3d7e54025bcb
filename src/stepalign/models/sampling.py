"""Sample responses in process: prompts of similar length together, one prefill for all samples of a prompt (whether by
`num_samples` or because it is given several times), and finished sequences leave the batch.

    >>> prompt_ids = [tokenizer.encode("Start with 47. Add 38.")]
    >>> sampling = Sampling(num_samples=2, temperature=1.1, max_new_tokens=4)
    >>> for batch in sample_responses(model, prompt_ids, sampling, eos_token_ids=[tokenizer.eos_token_id]):
    ...     print([(response.prompt, response.sample) for response in batch])
    [(0, 0), (0, 1)]

Every batch has a generator of its own, seeded by `seed` and the batch's number, so that the result depends on the
arguments alone and not on what was sampled before.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from stepalign.core.errors import ConfigError
from stepalign.models.decoding import decoder_for

# Finished sequences leave the batch together: taking them out copies the cache, so not at every one.
LEAVE_AT = 0.85


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        num_samples: responses a prompt.
        temperature: 0 decodes greedily.
        top_p: 0 to 1; nucleus sampling, 1 keeps everything.
        top_k: 0 keeps everything.
        max_new_tokens: a longer response is cut off.
        seed: of the random numbers.
        batch_size: sequences sampled together.
    """

    num_samples: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 2048
    seed: int = 0
    batch_size: int = 256

    def __post_init__(self) -> None:
        checks = {
            "num_samples": self.num_samples >= 1,
            "temperature": self.temperature >= 0,
            "top_p": 0 < self.top_p <= 1,
            "top_k": self.top_k >= 0,
            "max_new_tokens": self.max_new_tokens >= 1,
            "batch_size": self.batch_size >= 1,
        }
        for name, fine in checks.items():
            if not fine:
                raise ConfigError(f"{name}: got {getattr(self, name)}; expected a positive number (top_p at most 1).")


class Response(NamedTuple):
    """One sampled response: the prompt's index, the sample's number, the token ids with their end-of-sequence token."""

    prompt: int
    sample: int
    token_ids: list[int]


def sample_responses(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    eos_token_ids: Sequence[int],
    done: Container[int] = (),
) -> Iterator[list[Response]]:
    """Yield the responses batch by batch, all samples of a prompt in one batch.

    Longest prompts come first, so that memory problems show at once. Batches whose prompts are all in `done` are
    skipped and leave the others' samples as they are.
    """
    order = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
    per_batch = max(1, sampling.batch_size // sampling.num_samples)
    for number, at in enumerate(range(0, len(order), per_batch)):
        indices = order[at : at + per_batch]
        if all(index in done for index in indices):
            continue
        generator = torch.Generator(device=model.device)
        generator.manual_seed((sampling.seed * 1_000_003 + number) % 2**63)
        responses = _sample_batch(model, [prompts[i] for i in indices], sampling, eos_token_ids, generator)
        yield [
            Response(indices[row // sampling.num_samples], row % sampling.num_samples, ids)
            for row, ids in enumerate(responses)
        ]


@torch.inference_mode()
def _sample_batch(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    eos_token_ids: Sequence[int],
    generator: torch.Generator,
) -> list[list[int]]:
    device = model.device
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    rows = torch.tensor([numbers[tuple(p)] for p in prompts for _ in range(sampling.num_samples)], device=device)
    width = max(map(len, numbers))
    input_ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in numbers], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in numbers], device=device)
    decoder = decoder_for(model)
    logits = decoder.prefill(input_ids, mask, rows)
    responses = torch.zeros(len(rows), sampling.max_new_tokens, dtype=torch.long, device=device)
    lengths = torch.zeros(len(rows), dtype=torch.long, device=device)
    row_of = torch.arange(len(rows), device=device)  # which response each row of the batch writes
    writing = torch.ones(len(rows), dtype=torch.bool, device=device)
    ends = torch.tensor(list(eos_token_ids), device=device)
    for step in range(sampling.max_new_tokens):
        tokens = choose(logits, sampling, generator)
        responses[row_of, step] = tokens
        lengths[row_of] += writing
        writing &= ~torch.isin(tokens, ends)
        num_writing = int(writing.sum())
        if num_writing == 0 or step + 1 == sampling.max_new_tokens:
            break
        if num_writing <= LEAVE_AT * len(writing):
            keep = writing.nonzero().squeeze(1)
            tokens, row_of, writing = tokens[keep], row_of[keep], writing[keep]
            decoder.keep(keep)
        logits = decoder.step(tokens)
    written = responses[:, : int(lengths.max())].tolist()
    return [ids[:length] for ids, length in zip(written, lengths.tolist(), strict=True)]


def choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """One token a row: logits (B, V) to token ids (B,) int64."""
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float() / sampling.temperature
    if sampling.top_k:
        kth = logits.topk(min(sampling.top_k, logits.size(-1)), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    probabilities = logits.softmax(dim=-1)
    if sampling.top_p < 1:
        ordered, indices = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= sampling.top_p
        probabilities = probabilities.scatter(-1, indices, ordered.masked_fill(outside, 0.0))
    return torch.multinomial(probabilities, 1, generator=generator).squeeze(1)
