"""The loss against hand-worked numbers, limit cases, a float64 reference, TRL, and the memory it may take."""

from math import log

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from stepalign.core.errors import ConfigError, ShapeError
from stepalign.maths import kernel
from stepalign.maths.divergence import divergence_loss, per_token_advantage, per_token_scores
from stepalign.maths.head import Head

from . import reference

B, T, H, V = 3, 7, 16, 53
KINDS = ["forward_kl", "reverse_kl", "jsd"]


class Case:
    """Random inputs; `to` gives the same in another dtype, as new leaves of autograd."""

    def __init__(self, dtype=torch.float32, seed=0, separate=False, bias=False, **head_options):
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        width = H + 3 if separate else H
        self.tensors = {
            "student": draw(B, T, H),
            "teacher": draw(B, T, width),
            "weight": draw(V, H) / 2,
            "teacher_weight": draw(V, width) / 2 if separate else None,
            "bias": draw(V) if bias else None,
        }
        self.token_ids = torch.randint(0, V, (B, T), generator=generator)
        self.mask = torch.rand(B, T, generator=generator) < 0.6
        self.head_options = head_options
        self.cast(dtype)

    def cast(self, dtype):
        self.tensors = {k: None if x is None else x.to(dtype) for k, x in self.tensors.items()}
        for name in ("student", "weight", "bias"):
            if self.tensors[name] is not None:
                self.tensors[name] = self.tensors[name].detach().clone().requires_grad_()
        return self

    @property
    def head(self):
        return Head(self.tensors["weight"], self.tensors["bias"], **self.head_options)

    @property
    def teacher_head(self):
        weight = self.tensors["teacher_weight"]
        return None if weight is None else Head(weight, **self.head_options)

    @property
    def hidden(self):
        return self.tensors["student"], self.tensors["teacher"]

    def loss(self, **options):
        return divergence_loss(
            *self.hidden, self.head, self.token_ids, self.mask, teacher_head=self.teacher_head, **options
        )

    def reference_loss(self, **options):
        per_token = reference.divergence_per_token(*self.hidden, self.head, teacher_head=self.teacher_head, **options)
        return per_token[self.mask].sum() / max(1, int(self.mask.sum()))

    def gradients(self, loss):
        leaves = [x for x in self.tensors.values() if x is not None and x.requires_grad]
        return torch.autograd.grad(loss, leaves)


def assert_close(actual, expected, tolerance=1e-5):
    """To a tolerance relative to the tensor's largest entry."""
    scale = expected.abs().max().clamp(min=1e-30)
    assert ((actual.double() - expected).abs().max() / scale).item() < tolerance


def two_entry_case(teacher_p, student_p):
    """One token, a vocabulary of two, the identity as weight: hidden states are log-probabilities."""
    student = torch.tensor([[[log(p) for p in student_p]]], dtype=torch.float64, requires_grad=True)
    teacher = torch.tensor([[[log(p) for p in teacher_p]]], dtype=torch.float64)
    head = Head(torch.eye(2, dtype=torch.float64))
    return student, teacher, head, torch.tensor([[0]]), torch.tensor([[True]])


def test_numbers_worked_by_hand():
    case = two_entry_case(teacher_p=(0.75, 0.25), student_p=(0.5, 0.5))
    forward = divergence_loss(*case)
    assert forward.loss.item() == pytest.approx(0.75 * log(1.5) + 0.25 * log(0.5))
    (gradient,) = torch.autograd.grad(forward.loss, case[0])
    assert gradient.flatten().tolist() == pytest.approx([-0.25, 0.25])  # p - q
    reverse = divergence_loss(*case, kind="reverse_kl")
    assert reverse.loss.item() == pytest.approx(0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25))
    jsd = divergence_loss(*case, kind="jsd", beta=0.5)  # m = (0.625, 0.375)
    to_teacher = 0.75 * log(0.75 / 0.625) + 0.25 * log(0.25 / 0.375)
    to_student = 0.5 * log(0.5 / 0.625) + 0.5 * log(0.5 / 0.375)
    assert jsd.loss.item() == pytest.approx((to_teacher + to_student) / 2)


def test_figures_worked_by_hand():
    output = divergence_loss(*two_entry_case(teacher_p=(0.75, 0.25), student_p=(0.5, 0.5)), temperature=3.0)
    assert output.student_logp.item() == pytest.approx(log(0.5))
    assert output.teacher_logp.item() == pytest.approx(log(0.75))
    assert output.advantage.item() == pytest.approx(log(1.5))
    assert output.entropy.item() == pytest.approx(log(2))
    assert not any(x.requires_grad for x in output[1:])


def test_a_clipped_entry_counts_as_the_bound_and_pulls_no_more():
    case = two_entry_case(teacher_p=(0.75, 0.25), student_p=(0.5, 0.5))  # entries 0.304 and -0.173
    output = divergence_loss(*case, clip=0.1)
    assert output.loss.item() == pytest.approx(0.1 + 0.25 * log(0.5))
    (gradient,) = torch.autograd.grad(output.loss, case[0])
    assert gradient.flatten().tolist() == pytest.approx([0.125, -0.125])  # slope (0, -0.25), less p times its sum
    assert (output.num_clipped.item(), output.clipped_share.item()) == (1, 1.0)
    assert divergence_loss(*case, clip=0.5).clipped_share.item() == 0


VARIATIONS = {
    "plain": ({}, {}),
    "temperature": ({}, {"temperature": 1.7}),
    "scale": ({"logit_scale": 0.3}, {}),
    "softcap": ({"softcap": 2.0}, {}),
    "bias": ({"bias": True}, {}),
    "separate heads": ({"separate": True}, {}),
    "clip": ({}, {"clip": 0.05}),
    "top-k": ({}, {"top_k": 4}),
    "top-k beyond the vocabulary": ({}, {"top_k": V + 9}),
    "all": (
        {"bias": True, "separate": True, "logit_scale": 1.5, "softcap": 3.0},
        {"temperature": 0.8, "clip": 0.02, "top_k": 6},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("chunk_size", [None, 1, 5])
def test_loss_and_gradients_match_the_reference(kind, variation, chunk_size):
    case_options, options = VARIATIONS[variation]
    options = {"kind": kind, "beta": 0.3, **options}
    case, exact = Case(**case_options), Case(torch.float64, **case_options)
    output, expected = case.loss(**options, chunk_size=chunk_size), exact.reference_loss(**options)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    # By a chain rule of its own: the loss is scaled as a trainer may scale it.
    for actual, wanted in zip(case.gradients(output.loss * 3), exact.gradients(expected * 3), strict=True):
        assert_close(actual, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_per_token_figures_match_the_reference(kind):
    case, exact = Case(softcap=4.0), Case(torch.float64, softcap=4.0)
    output = case.loss(kind=kind, temperature=2.0)
    log_p, log_q = (torch.log_softmax(reference.logits(x, exact.head), -1) for x in exact.hidden)
    divergence = reference.divergence_per_token(*exact.hidden, exact.head, kind=kind, temperature=2.0)
    student_logp, teacher_logp = (x.gather(-1, exact.token_ids[..., None])[..., 0] for x in (log_p, log_q))
    expected = (divergence, teacher_logp - student_logp, -(log_p.exp() * log_p).sum(-1), student_logp, teacher_logp)
    for actual, wanted in zip(output[1:6], expected, strict=True):
        assert_close(actual, torch.where(exact.mask, wanted, 0).detach())
        assert (actual[~case.mask] == 0).all()


@pytest.mark.parametrize("options", [{}, {"clip": 0.1}, {"top_k": 5}, {"temperature": 2.0}], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(kind, options):
    case = Case(torch.float64, bias=True, softcap=5.0)
    options = {"kind": kind, "teacher_head": Case(torch.float64, seed=1).head, **options}

    def loss(student, weight, bias):
        head = Head(weight, bias, softcap=5.0)
        return divergence_loss(student, case.tensors["teacher"], head, case.token_ids, case.mask, **options).loss

    leaves = [case.tensors[name] for name in ("student", "weight", "bias")]
    assert torch.autograd.gradcheck(loss, leaves, fast_mode=True)


@pytest.mark.parametrize("beta", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 1.3])
def test_agrees_with_trl(beta, temperature):
    trl = pytest.importorskip("trl.trainer.distillation_trainer")
    case, theirs = Case(softcap=6.0, logit_scale=1.2), Case(softcap=6.0, logit_scale=1.2)
    output = case.loss(kind="jsd", beta=beta, temperature=temperature)
    weight = theirs.tensors["weight"]
    loss, _, _ = trl._chunked_divergence_loss(
        *theirs.hidden,
        weight,
        weight.detach(),
        theirs.mask,
        beta,
        temperature=temperature,
        student_logit_scale=1.2,
        teacher_logit_scale=1.2,
        student_final_logit_softcapping=6.0,
        teacher_final_logit_softcapping=6.0,
    )
    assert output.loss.item() == pytest.approx(loss.item(), rel=1e-5)
    for actual, expected in zip(case.gradients(output.loss), theirs.gradients(loss), strict=True):
        assert_close(actual, expected.double())


@pytest.mark.parametrize("kind", KINDS)
def test_teacher_equal_to_student_gives_zero(kind):
    case = Case()
    case.tensors["teacher"] = case.tensors["student"].detach()
    output = case.loss(kind=kind)
    gradients = case.gradients(output.loss)
    assert abs(output.loss.item()) < 1e-7
    assert (output.advantage == 0).all()
    assert max(g.abs().max().item() for g in gradients) < 1e-7
    if kind == "forward_kl":
        assert output.loss.item() == 0
        assert all((g == 0).all() for g in gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_all_masked_is_zero_with_zero_gradient(kind):
    case = Case(bias=True)
    case.mask[:] = False
    output = case.loss(kind=kind, normalizer=torch.tensor(12.0))
    assert output.loss.item() == 0
    assert all((g == 0).all() for g in case.gradients(output.loss))
    assert all((x == 0).all() for x in output[1:])


def test_what_is_masked_has_no_effect():
    case, other = Case(), Case()
    with torch.no_grad():
        for name in ("student", "teacher"):
            other.tensors[name][~case.mask] = float("nan")
    other.token_ids[~case.mask] = -100
    assert torch.equal(case.loss().loss, other.loss().loss)
    (gradient, *_), (other_gradient, *_) = (c.gradients(c.loss().loss) for c in (case, other))
    assert torch.equal(gradient, other_gradient)
    assert (gradient[~case.mask] == 0).all()


def test_the_normalizer_divides_the_sum():
    case = Case()
    total = case.loss().divergence.sum().item()
    assert case.loss().loss.item() == pytest.approx(total / int(case.mask.sum()))
    assert case.loss(normalizer=10).loss.item() == pytest.approx(total / 10)
    assert case.loss(normalizer=torch.tensor(10)).loss.item() == pytest.approx(total / 10)


def test_any_chunk_size_gives_the_same():
    whole = Case().loss(chunk_size=10_000)
    for chunk_size in (1, 2, 3, 11):
        chunked = Case().loss(chunk_size=chunk_size)
        for a, b in zip(whole, chunked, strict=True):
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_same_inputs_give_the_same_bits():
    first, second = (case.gradients(case.loss().loss) for case in (Case(), Case()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_inputs(dtype):
    case = Case(dtype)
    exact = Case(dtype).cast(torch.float64)  # the same rounded numbers
    output, expected = case.loss(), exact.reference_loss()
    assert output.loss.dtype == torch.float32
    assert output.loss.item() == pytest.approx(expected.item(), rel=2e-2)
    for actual, wanted in zip(case.gradients(output.loss), exact.gradients(expected), strict=True):
        assert actual.dtype == dtype
        assert_close(actual, wanted, tolerance=3e-2)


@pytest.mark.parametrize("softcap", [None, 2.0])
def test_float32_products_of_half_precision(softcap, monkeypatch):
    """CUDA's way, with its products worked out by the CPU: a row's gradient lies in the first half of its logits."""

    def multiply(hidden, weight, buffer):
        return buffer[: len(hidden)].copy_(hidden.float() @ weight.float().T)

    monkeypatch.setattr(kernel, "_has_precise_product", lambda device: True)
    monkeypatch.setattr(kernel, "multiply", multiply)
    monkeypatch.setattr(kernel, "_add_product", lambda total, a, b: total.add_(a.float() @ b.float()))
    case = Case(torch.bfloat16, softcap=softcap)
    exact = Case(torch.bfloat16, softcap=softcap).cast(torch.float64)
    output, expected = case.loss(chunk_size=5), exact.reference_loss()
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    for actual, wanted in zip(case.gradients(output.loss), exact.gradients(expected), strict=True):
        assert_close(actual, wanted, tolerance=1e-2)


def test_autocast_sets_the_dtype_of_the_products():
    case, half = Case(), Case()
    with torch.autocast("cpu", torch.bfloat16):
        output = half.loss()
    assert output.loss.item() != case.loss().loss.item()
    assert output.loss.item() == pytest.approx(case.loss().loss.item(), rel=2e-2)
    assert [g.dtype for g in half.gradients(output.loss)] == [torch.float32] * 2


def test_a_frozen_head_gets_no_gradient():
    case = Case()
    case.tensors["weight"] = case.tensors["weight"].detach()
    case.loss().loss.backward()
    assert case.tensors["student"].grad is not None
    assert case.tensors["weight"].grad is None


def test_a_tied_embedding_gets_the_sum_of_both_gradients():
    case, exact = Case(), Case(torch.float64)

    def tied(c):
        c.tensors["student"] = torch.tanh(c.tensors["weight"][c.token_ids])
        return c

    (actual,) = torch.autograd.grad(tied(case).loss().loss, case.tensors["weight"])
    (wanted,) = torch.autograd.grad(tied(exact).reference_loss(), exact.tensors["weight"])
    assert_close(actual, wanted)


def test_scores_are_the_same_figures_without_a_gradient():
    case = Case()
    output = case.loss(kind="jsd")
    scores = per_token_scores(*case.hidden, case.head, case.token_ids, case.mask, kind="jsd")
    assert not scores.loss.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(output, scores, strict=True))


class LargestTensor(TorchDispatchMode):
    """Records the most elements of any tensor that an operation returns."""

    num_elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for x in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(x, torch.Tensor):
                self.num_elements = max(self.num_elements, x.numel())
        return result


@pytest.mark.parametrize("options", [{}, {"kind": "jsd", "clip": 0.1}, {"top_k": 4}], ids=str)
def test_logits_of_all_tokens_never_exist(options):
    num_tokens, vocabulary, chunk = 120, 800, 8
    student, teacher = torch.randn(2, 1, num_tokens, 4)
    weight = torch.randn(vocabulary, 4, requires_grad=True)
    ids, mask = torch.zeros(1, num_tokens, dtype=torch.long), torch.ones(1, num_tokens, dtype=torch.bool)
    with LargestTensor() as seen:
        output = divergence_loss(
            student.requires_grad_(), teacher, Head(weight), ids, mask, chunk_size=chunk, **options
        )
        output.loss.backward()
    assert seen.num_elements <= 5 * chunk * vocabulary  # the five buffers of a block, allocated as one
    with LargestTensor() as seen:
        torch.nn.functional.linear(student, weight)
    assert seen.num_elements == num_tokens * vocabulary


@pytest.mark.parametrize(
    "change",
    [
        {"student_hidden": torch.zeros(2, 5, 8)},
        {"teacher_hidden": torch.zeros(2, 4, 9)},
        {"token_ids": torch.zeros(2, 3, dtype=torch.long)},
        {"mask": torch.zeros(4, dtype=torch.bool)},
        {"head": Head(torch.zeros(11, 9))},
        {"teacher_head": Head(torch.zeros(12, 8))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_shapes_that_differ_are_an_error(change):
    arguments = {
        "student_hidden": torch.zeros(2, 4, 8),
        "teacher_hidden": torch.zeros(2, 4, 8),
        "head": Head(torch.zeros(11, 8)),
        "token_ids": torch.zeros(2, 4, dtype=torch.long),
        "mask": torch.ones(2, 4, dtype=torch.bool),
    }
    with pytest.raises(ShapeError, match="must agree"):
        divergence_loss(**(arguments | change))


def test_an_unknown_kind_is_an_error_with_a_suggestion():
    with pytest.raises(ConfigError, match="perhaps you meant 'forward_kl'"):
        Case().loss(kind="forwards_kl")
    with pytest.raises(ConfigError, match="chunk_size is 0"):
        Case().loss(chunk_size=0)


def test_per_token_advantage():
    teacher, student = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-3.0, -1.5]])
    mask = torch.tensor([[True, False]])
    assert per_token_advantage(teacher, student, mask).tolist() == [[2.0, 0.0]]
    with pytest.raises(ShapeError, match=r"student_logp \(1, 1\)"):
        per_token_advantage(teacher, student[:, :1], mask)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_cuda_gives_what_the_cpu_gives(kind, dtype):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    case, exact = Case(dtype), Case(dtype).cast(torch.float64)
    moved = {
        k: None if x is None else x.detach().cuda().requires_grad_(x.requires_grad) for k, x in case.tensors.items()
    }
    case.tensors, case.token_ids, case.mask = moved, case.token_ids.cuda(), case.mask.cuda()
    output, expected = case.loss(kind=kind, chunk_size=5), exact.reference_loss(kind=kind)
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-4)  # float32 logits in bfloat16 too
    for actual, wanted in zip(case.gradients(output.loss), exact.gradients(expected), strict=True):
        assert_close(actual.cpu(), wanted, tolerance=1e-4 if dtype == torch.float32 else 3e-2)
