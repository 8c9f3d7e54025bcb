"""The loss of an inspection: read from a case, from a run, from the command line; and what it does to a token."""

from dataclasses import replace

import pytest
import torch

from stepalign.core.errors import ConfigError
from stepalign.maths.detail import Alternatives, TokenDetail
from stepalign.maths.objective import Divergence
from stepalign.signal.case import Case
from stepalign.signal.detail import numbers_of
from stepalign.signal.inspect import inspect_response
from stepalign.signal.loss import InspectedLoss, loss_of_run, read_loss

STEP = "<step_1>Next put on 78: 2+8=10 {}6+7+1=14. We get 140.</step_1><answer>140</answer>"
CASE = Case("micro", "Start with 62. Add 78.", STEP.format(", "), {"own": STEP.format("carry 1; ")})


def detail(push, norm):
    top = Alternatives(torch.zeros(len(push), 0), torch.zeros(len(push), 0))
    return TokenDetail(torch.zeros(len(push)), torch.tensor(push), torch.tensor(norm), top, top)


def test_a_share_is_of_the_sum_of_all_norms_and_a_gate_takes_a_token_out():
    seen = detail([0.5, -0.25, 0.0], [3.0, 1.0, 0.0])
    assert numbers_of(seen, InspectedLoss())["gradient_share"] == [0.75, 0.25, 0.0]
    gated = numbers_of(seen, InspectedLoss(mask_first_tokens=1))
    assert gated["gradient_share"] == [0.0, 1.0, 0.0] and gated["logit_push"] == [0.0, -0.25, 0.0]
    assert numbers_of(seen, InspectedLoss(mask_first_tokens=9))["gradient_share"] == [0.0, 0.0, 0.0]


def test_names_are_those_of_training_and_what_is_not_said_is_its_default():
    loss = read_loss({"divergence": "jsd", "beta": 0.2, "loss_temperature": 2, "divergence_top_k": None}, "x")
    assert loss.made() == Divergence("jsd", 0.2, 2.0)
    assert read_loss(None, "x") == InspectedLoss() and InspectedLoss().made() == Divergence()
    run = {"divergence": "reverse_kl", "divergence_clip": 0.05, "beta": None, "learning_rate": 1e-4}
    assert loss_of_run(run) == {"divergence": "reverse_kl", "divergence_clip": 0.05}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"divergenc": "jsd"}, "x: unknown key 'divergenc' of loss; perhaps you meant 'divergence'"),
        ({"divergence": "js"}, "unknown divergence 'js'"),
        ({"divergence_clip": -1}, "clip is -1"),
        ({"divergence_clip": "much"}, "setting 'divergence_clip': got 'much'; expected a number"),
        ({"mask_first_tokens": -1}, "mask_first_tokens: got -1; expected 0 or more"),
        ({"beta": 2}, "beta: got 2; expected a share"),
    ],
)
def test_malformed_losses(values, message):
    with pytest.raises(ConfigError, match=message):
        read_loss(values, "x")


def test_the_loss_changes_what_it_does_and_nothing_else(micro_solver):
    plain = inspect_response(CASE, *micro_solver)
    loss = {"divergence": "reverse_kl", "divergence_clip": 0.1, "mask_first_tokens": 2}
    other = inspect_response(replace(CASE, loss=loss), *micro_solver)
    assert plain["loss"] == InspectedLoss().to_json() and other["loss"] == {**plain["loss"], **loss}
    ours, theirs = plain["contexts"]["own"], other["contexts"]["own"]
    for push, q, p in zip(ours["logit_push"], ours["teacher_logp"], ours["student_logp"], strict=True):
        assert push == pytest.approx(torch.tensor(q).exp().item() - torch.tensor(p).exp().item(), abs=1e-5)
    assert sum(ours["gradient_share"]) == pytest.approx(1)
    assert theirs["gradient_share"][:2] == [0, 0] and theirs["gradient_share"] != ours["gradient_share"]
    changed = {"gradient_share", "logit_push"}
    assert {key: theirs[key] for key in theirs if key not in changed} == {
        key: ours[key] for key in ours if key not in changed
    }
