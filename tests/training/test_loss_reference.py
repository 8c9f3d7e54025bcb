"""The trainer's loss and its gradient against plain float64 autograd on full logits, row by row and without padding."""

import copy

import pytest
import torch
from peft import LoraConfig

from stepalign.feedback.from_references import RefSol
from stepalign.micro import World, make_problems
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.self_distillation import SelfDistillationTrainer

LORA = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
LENGTHS = {"prompt": [9, 14, 11, 6], "completion": [20, 7, 33, 12], "teacher_prompt": [40, 25, 61, 30]}
TAUGHT = [True, True, False, True]  # the third rollout had no context


def make_trainer(micro_solver, tmp_path, lora, **kwargs):
    args = SelfDistillationConfig(
        str(tmp_path), per_device_train_batch_size=4, gradient_checkpointing=False, disable_tqdm=True, **kwargs
    )
    model = copy.deepcopy(micro_solver.model)
    trainer = SelfDistillationTrainer(
        model,
        feedback=RefSol(),
        problems=make_problems(World(), 4, 0),
        args=args,
        processing_class=micro_solver.tokenizer,
        peft_config=LORA if lora else None,
    )
    generator = torch.Generator().manual_seed(0)
    for parameter in trainer.model.parameters():  # move the student away from the teacher
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=generator)
    return trainer


def make_rows():
    generator = torch.Generator().manual_seed(1)
    return {
        name: [torch.randint(5, 300, (length,), generator=generator) for length in lengths]
        for name, lengths in LENGTHS.items()
    }


def pad_rows(rows, side):
    width = max(len(row) for row in rows)
    ids, mask = torch.zeros(len(rows), width, dtype=torch.long), torch.zeros(len(rows), width, dtype=torch.long)
    for i, row in enumerate(rows):
        where = slice(width - len(row), None) if side == "left" else slice(0, len(row))
        ids[i, where], mask[i, where] = row, 1
    return ids, mask


def batch_of(rows):
    batch = {}
    for name, side in (("prompt", "left"), ("teacher_prompt", "left"), ("completion", "right")):
        batch[f"{name}_ids"], batch[f"{name}_mask"] = pad_rows(rows[name], side)
    batch["loss_mask"] = batch["completion_mask"] * torch.tensor(TAUGHT)[:, None]
    return batch


def reference_loss(trainer, rows, kind, beta):
    """Mean over taught tokens of the divergence of full float64 distributions, one unpadded row at a time."""
    student = trainer.model.double()
    total, count = 0.0, 0
    for prompt, teacher_prompt, completion, taught in zip(
        rows["prompt"], rows["teacher_prompt"], rows["completion"], TAUGHT, strict=True
    ):
        if not taught:
            continue
        with torch.no_grad(), trainer.teacher_policy(student) as teacher:
            q = log_probabilities(teacher.double(), teacher_prompt, completion)
        p = log_probabilities(student, prompt, completion)
        total = total + divergence(p, q, kind, beta).sum()
        count += len(completion)
    return total / count


def log_probabilities(model, prompt, completion):
    logits = model(input_ids=torch.cat([prompt, completion])[None]).logits[0]
    return logits[len(prompt) - 1 : -1].log_softmax(-1)


def divergence(p, q, kind, beta):
    def kl(a, b):
        return (a.exp() * (a - b)).sum(-1)

    if kind == "forward_kl":
        return kl(q, p)
    if kind == "reverse_kl":
        return kl(p, q)
    mixture = torch.log(beta * q.exp() + (1 - beta) * p.exp())
    return beta * kl(q, mixture) + (1 - beta) * kl(p, mixture)


def gradients(model):
    return {name: p.grad.double().clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("lora", "budget"), [(True, None), (False, None), (True, 1)], ids=["lora", "full", "row by row"]
)
@pytest.mark.parametrize(("kind", "beta"), [("forward_kl", 1.0), ("reverse_kl", 1.0), ("jsd", 0.3)])
def test_loss_and_gradient_agree_with_float64_autograd(micro_solver, tmp_path, kind, beta, lora, budget):
    trainer = make_trainer(micro_solver, tmp_path, lora, divergence=kind, beta=beta, max_tokens_per_pass=budget)
    rows = make_rows()
    trainer.model.train()
    loss, _, num_tokens = trainer._compute_loss(trainer.model, batch_of(rows), None)
    loss.backward()
    ours = gradients(trainer.model)
    assert num_tokens == sum(n for n, taught in zip(LENGTHS["completion"], TAUGHT, strict=True) if taught)

    trainer.model.zero_grad()
    expected = reference_loss(trainer, rows, kind, beta)
    expected.backward()
    theirs = gradients(trainer.model)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ours.keys() == theirs.keys()
    norm = sum(g.norm() ** 2 for g in theirs.values()) ** 0.5
    error = sum((ours[n] - theirs[n]).norm() ** 2 for n in theirs) ** 0.5
    assert norm > 1e-3
    assert (error / norm).item() < 1e-5


@pytest.mark.parametrize(("budget", "num_passes"), [(None, 2), (120, 3), (1, 6)])
def test_a_token_budget_makes_passes_and_saves_padding(micro_solver, tmp_path, budget, num_passes):
    trainer = make_trainer(micro_solver, tmp_path, lora=True, max_tokens_per_pass=budget)
    shapes, forward = [], trainer._get_last_hidden_state

    def watched(model, ids, *rest):
        shapes.append(tuple(ids.shape))
        return forward(model, ids, *rest)

    trainer._get_last_hidden_state = watched
    trainer.compute_loss(trainer.model, batch_of(make_rows()))
    waste = trainer._metrics["train"]["padding/waste_rate"][-1]
    computed = sum(rows * width for rows, width in shapes)
    tokens = sum(
        LENGTHS[prompt][row] + LENGTHS["completion"][row]
        for prompt in ("prompt", "teacher_prompt")
        for row in range(len(TAUGHT))
        if TAUGHT[row]
    )
    assert len(shapes) == num_passes  # of student and teacher, three rows with a context
    assert waste == pytest.approx(1 - tokens / computed)
    assert (waste == 0) == (budget == 1)


@pytest.mark.parametrize("bf16", [True, False])
def test_mixed_precision_reaches_student_teacher_and_loss(micro_solver, tmp_path, bf16):
    trainer = make_trainer(micro_solver, tmp_path, lora=True, bf16=bf16, use_cpu=True)
    projections, projection = [], trainer.model.get_submodule("base_model.model.model.layers.0.mlp.down_proj")
    projection.base_layer.register_forward_hook(lambda module, inputs, output: projections.append(output.dtype))
    loss = trainer.compute_loss(trainer.model, batch_of(make_rows())).item()
    assert projections == [torch.bfloat16 if bf16 else torch.float32] * 2
    exact = reference_loss(trainer, make_rows(), "forward_kl", 1.0).item()
    assert abs(loss / exact - 1) < 5e-2 and (abs(loss / exact - 1) > 1e-5) == bf16


def test_a_longer_teacher_prompt_changes_the_teacher_and_not_the_alignment(micro_solver, tmp_path):
    trainer = make_trainer(micro_solver, tmp_path, lora=False)
    rows = make_rows()
    plain = trainer._compute_loss(trainer.model, batch_of(rows), None)[0]
    padded = batch_of(rows)
    for part, value in (("ids", 0), ("mask", 0)):
        key = f"teacher_prompt_{part}"
        padded[key] = torch.nn.functional.pad(padded[key], (17, 0), value=value)
    torch.testing.assert_close(trainer._compute_loss(trainer.model, padded, None)[0], plain, rtol=1e-5, atol=0)
