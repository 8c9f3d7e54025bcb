"""The scores against those of the divergence kernel, and against float64 log-probabilities written out."""

import pytest
import torch

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths.divergence import per_token_scores
from stepalign.maths.head import Head
from stepalign.maths.scores import score_tokens

TOKENS, WIDTH, VOCABULARY = 11, 16, 97


def make(dtype=torch.float32, teachers=2):
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    hidden = randn(TOKENS, WIDTH)
    token_ids = torch.randint(VOCABULARY, (TOKENS,), generator=generator)
    return (
        hidden,
        [randn(TOKENS, WIDTH) for _ in range(teachers)],
        randn(VOCABULARY, WIDTH),
        token_ids,
        randn(VOCABULARY),
    )


@pytest.mark.parametrize("chunk_size", [None, 1, 4])
@pytest.mark.parametrize("form", ["plain", "bias", "scaled", "capped"])
def test_the_numbers_are_those_of_the_kernel(form, chunk_size):
    student, teachers, weight, token_ids, bias = make()
    more = {"plain": {}, "bias": {"bias": bias}, "scaled": {"logit_scale": 0.3}, "capped": {"softcap": 4.0}}
    head = Head(weight, **more[form])
    mask = torch.ones(1, TOKENS, dtype=torch.bool)
    scores = score_tokens(student, teachers, head, token_ids, chunk_size=chunk_size)
    for ours, teacher in zip(scores, teachers, strict=True):
        theirs = per_token_scores(student[None], teacher[None], head, token_ids[None], mask)
        for name in ("student_logp", "teacher_logp", "advantage", "divergence"):
            torch.testing.assert_close(getattr(ours, name), getattr(theirs, name)[0], rtol=1e-5, atol=5e-6)


def test_float64_by_definition():
    student, (teacher,), weight, token_ids, _ = make(torch.float64, teachers=1)
    (scores,) = score_tokens(student, [teacher], Head(weight), token_ids)
    p, q = ((x @ weight.T).log_softmax(-1) for x in (student, teacher))
    assert scores.advantage.dtype == torch.float64
    expected = (q - p).gather(-1, token_ids[:, None])[:, 0]
    torch.testing.assert_close(scores.advantage, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(scores.divergence, (q.exp() * (q - p)).sum(-1), rtol=1e-12, atol=1e-12)


def test_the_teacher_may_have_a_head_and_a_width_of_its_own():
    student, _, weight, token_ids, bias = make()
    other = torch.randn(VOCABULARY, 5, generator=torch.Generator().manual_seed(1))
    hidden = torch.randn(TOKENS, 5, generator=torch.Generator().manual_seed(2))
    (scores,) = score_tokens(student, [hidden], Head(weight), token_ids, teacher_head=Head(other, bias=bias))
    logp = (hidden @ other.T + bias).log_softmax(-1).gather(-1, token_ids[:, None])[:, 0]
    torch.testing.assert_close(scores.teacher_logp, logp)


def test_logits_that_overflow_a_plain_exponential():
    student, teachers, weight, token_ids, _ = make()
    (scores,) = score_tokens(student * 500, teachers[:1], Head(weight), token_ids)
    expected = (500 * student.double() @ weight.double().T).log_softmax(-1).gather(-1, token_ids[:, None])[:, 0]
    torch.testing.assert_close(scores.student_logp.double(), expected, rtol=1e-6, atol=1e-3)


def test_half_precision_hidden_states_are_compared_in_float32():
    student, teachers, weight, token_ids, _ = make(torch.bfloat16)
    scores = score_tokens(student, teachers, Head(weight), token_ids)
    mask = torch.ones(1, TOKENS, dtype=torch.bool)
    theirs = per_token_scores(student[None], teachers[0][None], Head(weight), token_ids[None], mask)
    assert scores[0].advantage.dtype == torch.float32
    torch.testing.assert_close(scores[0].advantage, theirs.advantage[0], rtol=1e-5, atol=1e-5)


def test_the_inputs_are_left_alone_and_no_context_gives_no_scores():
    student, teachers, weight, token_ids, _ = make()
    before = [x.clone() for x in (student, *teachers, weight)]
    score_tokens(student, teachers, Head(weight), token_ids)
    for x, y in zip((student, *teachers, weight), before, strict=True):
        assert torch.equal(x, y)
    assert score_tokens(student, [], Head(weight), token_ids) == []


def test_errors():
    student, teachers, weight, token_ids, _ = make()
    with pytest.raises(ShapeError, match="teacher_hidden is \\(10,\\); expected \\(11,\\)"):
        score_tokens(student, [teachers[0][1:]], Head(weight), token_ids)
    with pytest.raises(ShapeError, match="head's width"):
        score_tokens(student[:, 1:], [], Head(weight), token_ids)
    with pytest.raises(ShapeError, match="one response"):
        score_tokens(student[None], [], Head(weight), token_ids[None])
    with pytest.raises(ShapeError, match="vocabulary"):
        score_tokens(student, teachers, Head(weight), token_ids, teacher_head=Head(weight[1:]))
    with pytest.raises(ConfigError, match="chunk_size is 0"):
        score_tokens(student, teachers, Head(weight), token_ids, chunk_size=0)
