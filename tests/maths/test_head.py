"""The head's own checks, and its logits and derivative by hand."""

import math

import pytest
import torch

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths.head import Head


def test_logits_by_hand():
    head = Head(torch.zeros(2, 3), torch.tensor([1.0, -1.0]), logit_scale=0.5, softcap=2.0)
    logits = head.finish_logits_(torch.tensor([[3.0, 1.0]]))
    assert logits.tolist() == [[pytest.approx(2 * math.tanh(1.0)), 0.0]]


def test_derivative_by_hand():
    head = Head(torch.zeros(2, 3), torch.tensor([1.0, -1.0]), logit_scale=0.5, softcap=2.0)
    gradient = head.product_gradient_(torch.tensor([[1.0, 4.0]]), torch.tensor([[3.0, 1.0]]))
    assert gradient.tolist() == [[pytest.approx(0.5 * (1 - math.tanh(1.0) ** 2)), 2.0]]


def test_a_head_that_does_not_fit_together_is_an_error():
    with pytest.raises(ShapeError, match="head weight"):
        Head(torch.zeros(3))
    with pytest.raises(ShapeError, match="head bias"):
        Head(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(ConfigError, match="softcap"):
        Head(torch.zeros(3, 2), softcap=0.0)
