"""Validation while training: the best checkpoint is kept and recorded, and patience ends."""

import pytest
import torch
from safetensors.torch import load_file
from trl import ModelConfig

from stepalign.core.files import append_jsonl, read_json, read_jsonl, write_json
from stepalign.core.rollout import Grade, Outcome
from stepalign.micro import SOLVER_DIR, World, make_problems
from stepalign.runs.files import BEST, EVALUATIONS, METRICS, PROGRESS, WARNINGS
from stepalign.settings.groups import EvalSettings, MicroSettings, TrainSettings, ValidationSettings
from stepalign.settings.run import Run
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.guards import Guards
from stepalign.training.run import Parts, train_with
from stepalign.training.validation import KeepBest

PROBLEMS = make_problems(World(), 12, seed=5)


def seal(directory, step):
    write_json(directory / f"checkpoint-{step}" / PROGRESS, {"step": step, "wall_s": 1.0 * step})
    return directory / f"checkpoint-{step}"


def scripted(values):
    """A `validate` that knows the values beforehand, by the checkpoint's step."""

    def validate(checkpoint):
        torch.rand(3)  # the run must not notice
        return {"validation": {"pass@4": 1.0, "avg@4": values[int(checkpoint.name.split("-")[-1])]}}

    return validate


def test_the_best_is_the_earliest_of_equals(tmp_path):
    values = {1: 0.2, 2: 0.5, 3: 0.5, 4: 0.3}
    keep = KeepBest(tmp_path, scripted(values), patience=2)
    for step in values:
        assert not keep.exhausted
        keep.evaluate(seal(tmp_path, step))
    assert keep.exhausted  # two evaluations after step 2 were not better
    best = {"checkpoint": "checkpoint-2", "step": 2, "metric": "avg@4", "value": 0.5}
    assert read_json(tmp_path / BEST) == best
    assert [row["step"] for row in read_jsonl(tmp_path / EVALUATIONS)] == [1, 2, 3, 4]
    assert not KeepBest(tmp_path, scripted(values), patience=3).exhausted
    assert not KeepBest(tmp_path, scripted(values), patience=0).exhausted


def test_what_a_kill_left_without_an_evaluation_is_evaluated(tmp_path):
    keep = KeepBest(tmp_path, scripted({1: 0.2, 2: 0.5}))
    sealed = [seal(tmp_path, 1), seal(tmp_path, 2)]
    keep.evaluate(sealed[0])
    keep.catch_up(sealed)
    keep.catch_up(sealed)
    assert [row["step"] for row in read_jsonl(tmp_path / EVALUATIONS)] == [1, 2]


def test_a_collapse_on_validation_is_said(tmp_path):
    keep = KeepBest(tmp_path, scripted({1: 0.5, 2: 0.1}), guards=Guards(tmp_path))
    keep.evaluate(seal(tmp_path, 1))
    with pytest.warns(UserWarning, match=r"validation avg@4 is 0\.1; the best checkpoint had 0\.5"):
        keep.evaluate(seal(tmp_path, 2))
    assert read_jsonl(tmp_path / WARNINGS)[0]["metric"] == "validation/avg@4"


def train(directory, validate=None, patience=0):
    args = SelfDistillationConfig(
        str(directory), per_device_train_batch_size=2, learning_rate=1e-3, lr_scheduler_type="constant",
        max_completion_length=16, gradient_checkpointing=False, disable_tqdm=True, seed=3, save_steps=1, max_steps=6,
        save_total_limit=1,
    )  # fmt: skip
    run = Run(
        TrainSettings(condition="refsol", prompt_templates="bare"),
        MicroSettings(),
        ModelConfig(str(SOLVER_DIR), dtype="float32"),
        args,
        None,
        EvalSettings(),
        {"train": PROBLEMS},
        "micro",
        {},
        ValidationSettings(validation_problems="scripted", early_stopping_patience=patience),
    )
    return train_with(run, Parts(lambda rollouts: [Grade(Outcome.WRONG) for _ in rollouts], validate=validate))


def test_training_stops_and_leaves_the_best_and_the_last_checkpoint(tmp_path):
    values = {1: 0.2, 2: 0.5, 3: 0.3, 4: 0.4, 5: 0.4, 6: 0.4}
    watched = {"validate": scripted(values), "patience": 2}
    left = train(tmp_path / "watched", **watched)
    assert [path.name for path in left] == ["checkpoint-2", "checkpoint-4"]
    assert read_json(tmp_path / "watched" / BEST)["checkpoint"] == "checkpoint-2"
    assert [row["step"] for row in read_jsonl(tmp_path / "watched" / METRICS)] == [1, 2, 3, 4]
    before = (tmp_path / "watched" / METRICS).read_bytes()
    assert train(tmp_path / "watched", **watched) == left  # nothing left to do
    assert (tmp_path / "watched" / METRICS).read_bytes() == before

    # with more patience it goes on, and ends where a run without validation does
    train(tmp_path / "watched", **{**watched, "patience": 0})
    train(tmp_path / "alone")
    ends = [load_file(tmp_path / name / "checkpoint-6" / "model.safetensors") for name in ("watched", "alone")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    assert [path.name for path in sorted((tmp_path / "alone").glob("checkpoint-*"))] == ["checkpoint-6"]


def test_going_back_to_a_checkpoint_forgets_later_evaluations_and_warnings(tmp_path):
    from stepalign.training.callbacks import roll_back

    seal(tmp_path, 2)
    for step in (1, 2, 3):
        append_jsonl(tmp_path / EVALUATIONS, {"step": step})
        append_jsonl(tmp_path / WARNINGS, {"step": step})
    roll_back(tmp_path)
    for name in (EVALUATIONS, WARNINGS):
        assert [row["step"] for row in read_jsonl(tmp_path / name)] == [1, 2]
