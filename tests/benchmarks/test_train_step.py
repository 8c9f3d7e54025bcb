"""Our trainer and TRL's two compute the same: else their times would say nothing."""

import os
from dataclasses import replace

import pytest
import torch

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from benchmarks.sizes import Sizes
from benchmarks.train_step import OURS, check_agreement, prepare_loss, prepare_step
from benchmarks.trainers import make_batch, make_rows

TINY = Sizes(vocabulary=512, hidden=64, num_layers=1, batch_size=3, shortest=4, longest=24, prompt=8, context=20)
TRAINERS = [OURS, "trl SDPOTrainer", "trl SDFTTrainer"]


@pytest.fixture(scope="module")
def results():
    return {trainer: prepare_loss(trainer, TINY)() for trainer in TRAINERS}


@pytest.mark.parametrize("trainer", TRAINERS[1:])
def test_loss_and_gradient_agree_under_the_same_normalization(results, trainer):
    ours, theirs = results[OURS], results[trainer]
    assert theirs["loss"] > 1e-2 and theirs["gradient"].norm() > 1e-2
    assert abs(ours["loss"] - theirs["loss"]) <= 1e-4 * theirs["loss"]
    assert (ours["gradient"] - theirs["gradient"]).norm() <= 1e-4 * theirs["gradient"].norm()


def test_a_disagreement_is_an_error(monkeypatch, tmp_path):
    from benchmarks.runner import Settings

    from benchmarks import train_step

    def fake(side, settings):
        value = 2.0 if side.label == OURS else 2.001
        side.facts({"loss": torch.tensor(value), "gradient": torch.ones(3)})

    monkeypatch.setattr(train_step, "measure", fake)
    with pytest.raises(train_step.MeasurementError, match="do not agree to 1e-04"):
        check_agreement(TINY, Settings())


def test_batches_hold_the_same_rows_in_each_trainers_form():
    rows = make_rows(TINY)
    lengths = sorted(len(row) for row in rows["completion"])
    assert (lengths[0], lengths[-1], len(lengths)) == (4, 24, 3)
    ours, theirs = make_batch(OURS, TINY), make_batch("trl SDPOTrainer", TINY)
    for i, (prompt, completion) in enumerate(zip(rows["teacher_prompt"], rows["completion"], strict=True)):
        expected = torch.cat([prompt, completion])
        kept = theirs["teacher_input_ids"][i][theirs["teacher_attention_mask"][i].bool()]
        assert torch.equal(kept, expected)
        own = torch.cat([ours["teacher_prompt_ids"][i], ours["completion_ids"][i]])
        assert torch.equal(own, theirs["teacher_input_ids"][i])
    assert ours["num_items_in_batch"] == sum(lengths)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_step_moves_the_adapter(checkpointing):
    step = prepare_step(OURS, TINY, checkpointing)
    made = step.func.__closure__[0].cell_contents
    before = [p.detach().clone() for p in made.model.parameters() if p.requires_grad]
    step()
    after = [p for p in made.model.parameters() if p.requires_grad]
    assert before and all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_gpu_gets_the_real_size_in_bfloat16_and_the_check_in_float32(monkeypatch):
    from benchmarks import train_step

    checked, timed = [], []

    def measured(trainers, sizes, settings, checkpointing):
        timed.append((sizes, checkpointing))
        runs = [train_step.Measurement(2.0, 1.0, 3, {})]
        return {f"{trainer}, gradient checkpointing": runs for trainer in trainers}

    monkeypatch.setattr(train_step, "check_agreement", lambda sizes, settings: checked.append(sizes))
    monkeypatch.setattr(train_step, "measure_steps", measured)
    rows = train_step.run_case("train_step", train_step.Settings(device="cuda"))
    assert [(s.dtype, s.device, s.hidden) for s in checked] == [("float32", "cuda", 256)]
    ((sizes, checkpointing),) = timed
    assert checkpointing and (sizes.dtype, sizes.device, sizes.hidden, sizes.num_layers) == (
        "bfloat16",
        "cuda",
        2048,
        28,
    )
    assert len(rows) == 2 and all("bound" not in row for row in rows)


@pytest.mark.parametrize("trainer", TRAINERS)
def test_a_step_in_bfloat16_moves_the_adapter(trainer):
    step = prepare_step(trainer, replace(TINY, dtype="bfloat16"), checkpointing=True)
    made = step.func.__closure__[0].cell_contents
    before = [p.detach().clone() for p in made.model.parameters() if p.requires_grad]
    step()
    after = [p for p in made.model.parameters() if p.requires_grad]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
