"""Details of tokens against their definition in float64, and the quick choice of the likeliest against torch's own."""

import pytest
import torch

from stepalign.core.errors import ConfigError
from stepalign.maths.detail import Detail, likeliest
from stepalign.maths.divergence import divergence_loss
from stepalign.maths.head import Head
from stepalign.maths.objective import Divergence
from stepalign.maths.scores import score_tokens

TOKENS, WIDTH, VOCABULARY = 11, 16, 1000  # a vocabulary that is no multiple of a group


def make(dtype=torch.float64):
    torch.manual_seed(0)
    hidden = torch.randn(3, TOKENS, WIDTH, dtype=torch.float64).to(dtype)
    head = Head(torch.randn(VOCABULARY, WIDTH, dtype=torch.float64).to(dtype))
    near = hidden[0] + 0.2 * hidden[1]
    token_ids = torch.randint(VOCABULARY, (TOKENS,))
    for start, likely in ((0, hidden[0]), (1, near), (2, hidden[2])):  # some tokens that either would write
        token_ids[start::4] = (likely @ head.weight.T).argmax(-1)[start::4]
    return hidden[0], [near, hidden[2]], head, token_ids


def logp(hidden, head):
    return (hidden.double() @ head.weight.double().T).log_softmax(-1)


@pytest.mark.parametrize("vocabulary", [1, 3, 63, 640, 641, 1000, 5000])
@pytest.mark.parametrize("k", [0, 1, 5])
def test_the_likeliest_are_those_of_a_full_sort(vocabulary, k):
    logits = torch.randn(7, vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    logits[0, -1] = 9.0  # the last entry is in no group
    assert torch.equal(likeliest(logits, k), logits.topk(min(k, vocabulary)).indices)


def test_equal_entries_are_all_found():
    logits = torch.zeros(1, 5000)
    logits[0, [7, 7 + 78, 4000, 4999]] = 3.0  # two of them in neighbouring groups
    assert sorted(likeliest(logits, 4)[0].tolist()) == [7, 85, 4000, 4999]


@pytest.mark.parametrize("chunk_size", [None, 1, 4])
def test_details_by_definition_whatever_the_chunks(chunk_size):
    student, teachers, head, token_ids = make()
    scores = score_tokens(student, teachers, head, token_ids, chunk_size=chunk_size, detail=Detail(5))
    p = logp(student, head)
    for ours, teacher in zip(scores, teachers, strict=True):
        q = logp(teacher, head)
        torch.testing.assert_close(ours.detail.expected_advantage, (p.exp() * (q - p)).sum(-1), rtol=1e-12, atol=1e-12)
        for top, reference in ((ours.detail.student_top, p), (ours.detail.teacher_top, q)):
            expected = reference.topk(5)
            assert torch.equal(top.token_ids, expected.indices)
            torch.testing.assert_close(top.logp, expected.values, rtol=1e-12, atol=1e-12)


LOSSES = {
    "forward_kl": {},
    "reverse_kl": {"kind": "reverse_kl"},
    "jsd": {"kind": "jsd", "beta": 0.3},
    "jsd, beta 0": {"kind": "jsd", "beta": 0.0},
    "clipped": {"clip": 0.01},
    "reverse, clipped": {"kind": "reverse_kl", "clip": 0.02},
    "top 5": {"top_k": 5},
    "jsd, warm, top 20": {"kind": "jsd", "temperature": 1.7, "top_k": 20},
    "warm": {"temperature": 2.0},
}


@pytest.mark.parametrize("chunk_size", [None, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_push_and_norm_are_those_of_autograd_through_the_loss_of_training(name, chunk_size):
    student, teachers, head, token_ids = make()
    scores = score_tokens(
        student, teachers, head, token_ids, chunk_size=chunk_size, detail=Detail(loss=Divergence(**LOSSES[name]))
    )
    logits = (student @ head.weight.T).requires_grad_()
    of_logits, mask = Head(torch.eye(VOCABULARY, dtype=torch.float64)), torch.ones(1, TOKENS, dtype=torch.bool)
    for ours, teacher in zip(scores, teachers, strict=True):
        output = divergence_loss(
            logits[None],
            (teacher @ head.weight.T)[None],
            of_logits,
            token_ids[None],
            mask,
            normalizer=1.0,
            **LOSSES[name],
        )
        (gradient,) = torch.autograd.grad(output.loss, logits)
        push = -gradient.gather(-1, token_ids[:, None])[:, 0]
        assert push.abs().max() > 1e-3, "else this would say little"
        torch.testing.assert_close(ours.detail.logit_push, push, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(ours.detail.gradient_norm, gradient.norm(dim=-1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["forward_kl", "reverse_kl", "jsd", "clipped", "warm"])
def test_the_gradient_written_out_and_autograd_of_the_definition_agree(name):
    student, (teacher, _), head, token_ids = make()
    settings = LOSSES[name]
    (scores,) = score_tokens(student, [teacher], head, token_ids, detail=Detail(loss=Divergence(**settings)))
    logits, temperature = (student @ head.weight.T).requires_grad_(), settings.get("temperature", 1.0)
    log_p = (logits / temperature).log_softmax(-1)
    log_q = (teacher @ head.weight.T / temperature).log_softmax(-1)
    beta = settings.get("beta", 0.5)
    log_m = ((1 - beta) * log_p.exp() + beta * log_q.exp()).log()
    entries = {
        "reverse_kl": log_p.exp() * (log_p - log_q),
        "jsd": beta * log_q.exp() * (log_q - log_m) + (1 - beta) * log_p.exp() * (log_p - log_m),
    }.get(settings.get("kind", ""), log_q.exp() * (log_q - log_p))
    (gradient,) = torch.autograd.grad(entries.clamp(max=settings.get("clip", torch.inf)).sum(), logits)
    push = -gradient.gather(-1, token_ids[:, None])[:, 0]
    torch.testing.assert_close(scores.detail.logit_push, push, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(scores.detail.gradient_norm, gradient.norm(dim=-1), rtol=1e-9, atol=1e-12)
    at = {"student_logp": scores.student_logp, "teacher_logp": scores.teacher_logp}
    p, q = at["student_logp"].exp(), at["teacher_logp"].exp()
    formulas = {
        "forward_kl": q - p,
        "reverse_kl": p * (scores.advantage - scores.detail.expected_advantage),
        "jsd": (1 - beta) * p * ((log_p.exp() * (log_p - log_m)).sum(-1) - (p / ((1 - beta) * p + beta * q)).log()),
    }
    if name in formulas:
        torch.testing.assert_close(scores.detail.logit_push, formulas[name].detach(), rtol=1e-9, atol=1e-12)


def test_in_float32_a_general_loss_leaves_the_scores_as_they_are():
    student, teachers, head, token_ids = make(torch.float32)
    plain = score_tokens(student, teachers, head, token_ids, detail=Detail())
    general = score_tokens(student, teachers, head, token_ids, detail=Detail(loss=Divergence("jsd")))
    forward = score_tokens(student, teachers, head, token_ids, detail=Detail(loss=Divergence(clip=1e6)))
    for one, other, clipped in zip(plain, general, forward, strict=True):
        assert one.to_json() == other.to_json() and not torch.equal(one.detail.logit_push, other.detail.logit_push)
        torch.testing.assert_close(one.detail.logit_push, clipped.detail.logit_push, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(one.detail.gradient_norm, clipped.detail.gradient_norm, rtol=1e-4, atol=1e-6)


def test_details_leave_the_scores_as_they_are_and_none_are_made_unasked():
    student, teachers, head, token_ids = make(torch.float32)
    plain = score_tokens(student, teachers, head, token_ids)
    detailed = score_tokens(student, teachers, head, token_ids, detail=Detail(0))
    for without, with_detail in zip(plain, detailed, strict=True):
        assert without.detail is None and without.to_json() == with_detail.to_json()
        assert with_detail.detail.student_top.token_ids.shape == (TOKENS, 0)


def test_the_same_distribution_expects_nothing():
    student, _, head, token_ids = make(torch.float32)
    (scores,) = score_tokens(student, [student], head, token_ids, detail=Detail())
    assert scores.detail.expected_advantage.abs().max() < 1e-6


def test_a_negative_number_is_refused():
    with pytest.raises(ConfigError, match="num_alternatives is -1"):
        Detail(-1)
