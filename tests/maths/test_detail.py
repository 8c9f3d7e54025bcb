"""Details of tokens against their definition in float64, and the quick choice of the likeliest against torch's own."""

import pytest
import torch

from stepalign.core.errors import ConfigError
from stepalign.maths.detail import Detail, likeliest
from stepalign.maths.head import Head
from stepalign.maths.scores import score_tokens

TOKENS, WIDTH, VOCABULARY = 11, 16, 1000  # a vocabulary that is no multiple of a group


def make(dtype=torch.float64):
    torch.manual_seed(0)
    hidden = torch.randn(3, TOKENS, WIDTH, dtype=torch.float64).to(dtype)
    head = Head(torch.randn(VOCABULARY, WIDTH, dtype=torch.float64).to(dtype))
    return hidden[0], [hidden[1], hidden[2]], head, torch.randint(VOCABULARY, (TOKENS,))


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
