"""Who the teacher is: hand-worked averages, limit cases, and what a resumed run gets back."""

import contextlib
import copy
import os
import signal
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from stepalign.cli import main
from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError, ModelError
from stepalign.core.files import read_jsonl
from stepalign.feedback.formats import FeedbackFormat
from stepalign.feedback.from_references import RefSol
from stepalign.micro import World, make_problems
from stepalign.models.head import detached_head
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.self_distillation import SelfDistillationTrainer
from stepalign.training.teachers import TEACHER_WEIGHTS, EmaTeacher, make_teacher

PROBLEMS = make_problems(World(), 16, seed=4)
LORA = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")


class OneWeight(torch.nn.Module):
    def __init__(self, value, dtype=torch.float32):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([value], dtype=dtype))
        self.frozen = torch.nn.Parameter(torch.tensor([7.0]), requires_grad=False)


def make_trainer(micro_solver, directory, feedback=None, lora=False, **kwargs):
    args = SelfDistillationConfig(
        str(directory), per_device_train_batch_size=4, learning_rate=1e-2, lr_scheduler_type="constant",
        max_completion_length=24, gradient_checkpointing=False, disable_tqdm=True, seed=3,
        **{"max_steps": 2, "save_strategy": "no", **kwargs},
    )  # fmt: skip
    return SelfDistillationTrainer(
        copy.deepcopy(micro_solver.model),
        feedback=feedback or RefSol(),
        problems=PROBLEMS,
        args=args,
        prompt_templates=kwargs.pop("prompt_templates", "bare"),
        processing_class=micro_solver.tokenizer,
        peft_config=LORA if lora else None,
    )


def test_the_average_is_the_one_worked_by_hand():
    student = OneWeight(1.0)
    teacher = EmaTeacher(student, decay=0.75)
    for weight, average in ((3.0, 1.5), (5.0, 2.375)):  # 0.75 * 1 + 0.25 * 3; 0.75 * 1.5 + 0.25 * 5
        student.weight.data.fill_(weight)
        teacher.update(student)
        assert teacher.average["weight"].item() == average
    assert list(teacher.average) == ["weight"]  # what is frozen needs no average
    with teacher.policy(student) as policy:
        assert policy.weight.item() == 2.375 and not policy.training
    assert student.weight.item() == 5.0 and student.training


def test_the_average_of_bfloat16_weights_takes_steps_that_bfloat16_would_lose():
    student = OneWeight(1.0, torch.bfloat16)
    teacher = EmaTeacher(student, decay=0.999)
    student.weight.data.fill_(2.0)
    for _ in range(100):
        teacher.update(student)
    assert teacher.average["weight"].item() == pytest.approx(2 - 0.999**100, rel=1e-5)
    with teacher.policy(student) as policy:
        assert policy.weight.dtype == torch.bfloat16 and policy.weight.item() == pytest.approx(1.095, abs=0.005)


def test_autocast_does_not_give_the_teacher_the_students_cast_weights():
    student = torch.nn.Linear(4, 4)
    teacher = EmaTeacher(student, decay=1.0)
    x = torch.ones(1, 4)
    student.weight.data.add_(1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = student(x)  # leaves its weight in autocast's cache
        with torch.no_grad(), teacher.policy(student) as policy:
            assert (policy(x) - first).abs().min() > 1
        torch.testing.assert_close(student(x), first)


@pytest.mark.parametrize("name", ["initial", "ema", "live"])
@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_which_weights_each_teacher_has(micro_solver, name, lora):
    student = copy.deepcopy(micro_solver.model)
    student = get_peft_model(student, LORA) if lora else student
    teacher = make_teacher(name, student, decay=0.5)
    ids = torch.tensor([micro_solver.tokenizer("Start with 47. Add 38.")["input_ids"]])

    def logits():
        with torch.no_grad(), teacher.policy(student) as policy:
            values = policy(input_ids=ids).logits
            head = detached_head(policy)
        return values, head.weight

    initial, _ = logits()
    for parameter in student.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    teacher.update(student)
    now, head = logits()
    current = student(input_ids=ids).logits
    assert torch.equal(now, initial) == (name == "initial")
    assert torch.equal(now, current) == (name == "live")
    if not lora and name != "live":  # a trained head must not be taken for the student's
        assert not torch.equal(head, student.get_output_embeddings().weight)


class Empty(FeedbackFormat):
    def contexts(self, rollouts):
        return [Context("") for _ in rollouts]


@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_live_and_without_anything_in_the_context_the_advantage_is_0(micro_solver, tmp_path, lora):
    (tmp_path / "student.jinja").write_text("{{ problem }}")
    (tmp_path / "teacher.jinja").write_text("{{ problem }}{{ context }}")
    advantages = {}
    for name in ("live", "initial"):
        trainer = make_trainer(micro_solver, tmp_path / name, Empty(), lora=lora, teacher=name, max_steps=1)
        trainer.prompt_templates = str(tmp_path)
        for parameter in trainer.model.parameters():  # as if it had been trained already
            if parameter.requires_grad:
                parameter.data += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        trainer.train()
        row = trainer.state.log_history[0]
        advantages[name] = (row["advantage/mean"], row["divergence/mean"], row["advantage/negative_rate"])
    assert advantages["live"] == (0.0, 0.0, 0.0)
    assert advantages["initial"][1] > 1e-5


@pytest.mark.parametrize("lora", [True, False], ids=["lora", "full"])
def test_the_average_goes_on_where_its_checkpoint_was(micro_solver, tmp_path, lora):
    settings = {"teacher": "ema", "teacher_ema_decay": 0.9, "save_strategy": "steps", "save_steps": 2, "lora": lora}
    whole = make_trainer(micro_solver, tmp_path / "whole", max_steps=4, **settings)
    whole.train()
    make_trainer(micro_solver, tmp_path / "parts", max_steps=2, **settings).train()
    parts = make_trainer(micro_solver, tmp_path / "parts", max_steps=4, **settings)
    parts.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-2"))
    weights = "adapter_model.safetensors" if lora else "model.safetensors"
    for name in (weights, TEACHER_WEIGHTS):
        a, b = (load_file(tmp_path / run / "checkpoint-4" / name) for run in ("whole", "parts"))
        assert a and all(torch.equal(a[key], b[key]) for key in a)
    student = dict(whole.model.named_parameters())
    average = load_file(tmp_path / "whole" / "checkpoint-4" / TEACHER_WEIGHTS)
    assert all(student[name].requires_grad for name in average)
    assert any(not torch.equal(student[name], value) for name, value in average.items())


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_and_the_average_of_one_that_was_not(tmp_path):
    settings = [
        *("--config", "micro", "--condition", "refsol", "--teacher", "ema", "--teacher_ema_decay", "0.9"),
        *("--max_steps", "10", "--save_steps", "5", "--per_device_train_batch_size", "4", "--micro_num_train", "24"),
        *("--max_completion_length", "40", "--use_peft", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj"),
        *("--probe_steps", "0", "--disable_tqdm", "true", "--output_dir"),
    ]
    assert main(["train", *settings, str(tmp_path / "whole")]) == 0

    command = [sys.executable, "-m", "stepalign", "train", *settings, str(tmp_path / "killed")]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on it
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(read_jsonl(tmp_path / "killed" / "metrics.jsonl")) < 7:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    assert main(["train", *settings, str(tmp_path / "killed")]) == 0

    for name in ("adapter_model.safetensors", TEACHER_WEIGHTS):
        whole, killed = (tmp_path / run / "checkpoint-10" / name for run in ("whole", "killed"))
        assert whole.read_bytes() == killed.read_bytes()


def test_a_checkpoint_without_the_average_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no teacher\.safetensors"):
        EmaTeacher(OneWeight(1.0), 0.9).load(tmp_path)


def test_the_average_of_sharded_weights_is_refused():
    with pytest.raises(ConfigError, match="FSDP"):
        make_teacher("ema", OneWeight(1.0), decay=0.9, sharded=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"teacher": "emma"}, "perhaps you meant 'ema'"),
        ({"teacher": "ema", "teacher_ema_decay": 1.5}, "expected a share between 0 and 1"),
        ({"mask_first_tokens": -1}, "expected 0 or more"),
    ],
)
def test_wrong_settings_are_told(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        SelfDistillationConfig(str(tmp_path), **settings)


def test_a_decay_that_nothing_uses_warns(tmp_path):
    with pytest.warns(UserWarning, match="no effect with teacher initial"):
        SelfDistillationConfig(str(tmp_path), teacher_ema_decay=0.9)


def test_first_tokens_without_loss_are_measured_all_the_same(micro_solver, tmp_path):
    def first_row(n):
        trainer = make_trainer(micro_solver, tmp_path / str(n), max_steps=1, mask_first_tokens=n)
        trainer.train()
        return trainer.state.log_history[0], trainer._buffered_inputs[0]

    (plain, batch), (masked, masked_batch) = first_row(0), first_row(2)
    assert torch.equal(batch["completion_ids"], masked_batch["completion_ids"])
    assert not masked_batch["loss_mask"][:, :2].any()
    assert torch.equal(masked_batch["loss_mask"][:, 2:], batch["loss_mask"][:, 2:])
    assert masked_batch["num_items_in_batch"] == batch["num_items_in_batch"] - 2 * 4
    assert masked["loss"] != plain["loss"]
    assert masked["advantage/first_token"] == pytest.approx(plain["advantage/first_token"], rel=1e-5)
