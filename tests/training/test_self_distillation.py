"""The trainer on the micro solver: its loss against the example file's plain computation, and what it skips."""

import copy
import importlib.util
import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from stepalign.core.critique import Context
from stepalign.feedback.formats import FeedbackFormat
from stepalign.feedback.from_critiques import StepAlign
from stepalign.feedback.from_references import RefSol
from stepalign.micro import World, exact_critique, make_problems
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.rollouts import RolloutLog
from stepalign.training.self_distillation import SelfDistillationTrainer

EXAMPLE = Path(__file__).parents[2] / "examples" / "self_distillation.py"
PROBLEMS = make_problems(World(), 24, seed=9)


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("self_distillation_example", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def config(directory, **kwargs):
    settings = {
        "per_device_train_batch_size": 6,
        "max_steps": 3,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "max_completion_length": 64,
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 3,
        **kwargs,
    }
    return SelfDistillationConfig(str(directory), **settings)


class Recording(FeedbackFormat):
    """Any format, with the rollouts that it saw kept."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.seen = inner, []

    def contexts(self, rollouts):
        contexts = self.inner.contexts(rollouts)
        self.seen.append((list(rollouts), contexts))
        return contexts


def make_trainer(micro_solver, args, feedback, **kwargs):
    return SelfDistillationTrainer(
        copy.deepcopy(micro_solver.model),
        feedback=feedback,
        problems=PROBLEMS,
        args=args,
        prompt_templates="bare",
        processing_class=micro_solver.tokenizer,
        **kwargs,
    )


def losses(trainer):
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


def test_the_loss_curve_is_that_of_the_example_without_stepalign_or_trl(micro_solver, example, tmp_path):
    feedback = Recording(RefSol())
    trainer = make_trainer(micro_solver, config(tmp_path), feedback)
    trainer.train()

    model = copy.deepcopy(micro_solver.model)
    teacher = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    curve = []
    for rollouts, contexts in feedback.seen:
        problems = [{"problem": r.problem.problem} for r in rollouts]
        ids = [list(r.token_ids) for r in rollouts]
        texts = [c.text for c in contexts]
        curve.append(
            example.train_step(model.train(), teacher, optimizer, problems, texts, ids, micro_solver.tokenizer)
        )
    assert len(curve) == 3
    assert losses(trainer) == pytest.approx(curve, rel=2e-4)
    assert len(set(curve)) == 3


@pytest.mark.parametrize("divergence", ["reverse_kl", "jsd"])
def test_other_divergences_train_too(micro_solver, tmp_path, divergence):
    trainer = make_trainer(micro_solver, config(tmp_path, divergence=divergence, max_steps=2), RefSol())
    trainer.train()
    assert all(loss > 0 for loss in losses(trainer))


def test_with_lora_the_teacher_is_the_model_with_its_adapter_off(micro_solver, tmp_path):
    lora = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    trainer = make_trainer(micro_solver, config(tmp_path, learning_rate=1e-2), RefSol(), peft_config=lora)
    ids = torch.tensor([micro_solver.tokenizer("Start with 47. Add 38.")["input_ids"]])
    trainer.train()
    model = trainer.model
    assert trainer.teacher.copy is None
    with torch.no_grad():
        base = micro_solver.model(input_ids=ids).logits
        trained = model(input_ids=ids).logits
        with trainer.teacher_policy(model) as teacher:
            torch.testing.assert_close(teacher(input_ids=ids).logits, base)
    assert not torch.allclose(trained, base, atol=1e-3)


def test_without_an_adapter_the_teacher_stays_the_initial_policy(micro_solver, tmp_path):
    trainer = make_trainer(micro_solver, config(tmp_path), RefSol())
    trainer.train()
    teacher = dict(trainer.teacher.copy.named_parameters())
    for name, parameter in micro_solver.model.named_parameters():
        assert torch.equal(teacher[name], parameter)
    assert any(not torch.equal(p, teacher[n]) for n, p in trainer.model.named_parameters())


class Sometimes(FeedbackFormat):
    """A context for every third rollout, one far too long for another third, none for the rest."""

    def contexts(self, rollouts):
        choices = (Context("short"), Context("word " * 300), None)
        return [choices[i % 3] for i in range(len(rollouts))]


def test_rollouts_without_a_context_that_fits_carry_no_loss_and_are_counted(micro_solver, tmp_path):
    log = RolloutLog(tmp_path / "rollouts.jsonl")
    trainer = make_trainer(
        micro_solver, config(tmp_path, max_steps=1), Sometimes(), max_teacher_prompt_length=100, rollout_log=log
    )
    trainer.train()
    rows = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    assert [row["context_status"] for row in rows] == ["ok", "too_long", "none"] * 2
    metrics = trainer.state.log_history[0]
    assert metrics["feedback/skipped_rate"] == pytest.approx(2 / 3)
    assert metrics["feedback/too_long_rate"] == pytest.approx(1 / 3)


class Never(FeedbackFormat):
    def contexts(self, rollouts):
        return [None for _ in rollouts]


def test_a_step_without_any_context_changes_nothing(micro_solver, tmp_path):
    trainer = make_trainer(micro_solver, config(tmp_path, max_steps=1), Never())
    trainer.train()
    assert losses(trainer) == [0.0]
    for (_, trained), initial in zip(trainer.model.named_parameters(), micro_solver.model.parameters(), strict=True):
        assert torch.equal(trained, initial)


def test_a_skipped_rollout_does_not_change_the_loss_of_the_others(micro_solver, example, tmp_path):
    class FirstHalf(RefSol):
        def contexts(self, rollouts):
            contexts = super().contexts(rollouts)
            return [c if i < len(contexts) // 2 else None for i, c in enumerate(contexts)]

    feedback = Recording(FirstHalf())
    trainer = make_trainer(micro_solver, config(tmp_path, max_steps=1), feedback)
    trainer.train()
    (rollouts, contexts), *_ = feedback.seen
    kept = [(r, c) for r, c in zip(rollouts, contexts, strict=True) if c is not None]
    expected = plain_loss(micro_solver, example, [r for r, _ in kept], [c for _, c in kept])
    assert losses(trainer)[0] == pytest.approx(expected, rel=2e-4)


def plain_loss(micro_solver, example, rollouts, contexts):
    """The example's loss of the initial policy on given rollouts, all in one batch."""
    model = copy.deepcopy(micro_solver.model)
    return example.train_step(
        model.train(),
        micro_solver.model,
        torch.optim.SGD(model.parameters(), lr=0.0),
        [{"problem": r.problem.problem} for r in rollouts],
        [c.text for c in contexts],
        [list(r.token_ids) for r in rollouts],
        micro_solver.tokenizer,
    )


def test_micro_batches_accumulate_to_the_mean_over_all_tokens(micro_solver, example, tmp_path):
    feedback = Recording(RefSol())
    args = config(tmp_path, max_steps=1, per_device_train_batch_size=2, gradient_accumulation_steps=3)
    trainer = make_trainer(micro_solver, args, feedback)
    trainer.train()
    ((rollouts, contexts),) = feedback.seen  # one generation for all micro-batches
    assert len(rollouts) == 6
    assert losses(trainer) == pytest.approx([plain_loss(micro_solver, example, rollouts, contexts)], rel=2e-4)


def test_stepalign_trains_on_the_exact_critic(micro_solver, tmp_path):
    feedback = StepAlign(lambda rollouts: [exact_critique(r) for r in rollouts])
    trainer = make_trainer(micro_solver, config(tmp_path, max_steps=2), feedback)
    trainer.train()
    metrics = trainer.state.log_history[0]
    assert metrics["loss"] > 0 and "advantage/mean" in metrics and metrics["feedback/skipped_rate"] == 0
