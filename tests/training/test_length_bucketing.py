"""Bucketed passes against one pass over the whole batch: the same loss and gradient, less padding."""

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from stepalign.core.errors import ConfigError
from stepalign.maths.divergence import divergence_loss
from stepalign.maths.head import Head
from stepalign.training.length_bucketing import Sequences, bucketed_hidden_states, group_rows

VOCABULARY = 64
LENGTHS = {"prompt": [5, 9, 3, 7, 4], "teacher": [30, 12, 25, 40, 11], "completion": [20, 3, 33, 4, 12]}
TAUGHT = torch.tensor([1, 1, 1, 1, 0])  # the last rollout has no context, so no loss


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        initializer_range=0.2,
    )
    return Qwen3ForCausalLM(config)


def padded(lengths, side, generator):
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        at = slice(ids.shape[1] - length, None) if side == "left" else slice(0, length)
        ids[row, at] = torch.randint(1, VOCABULARY, (length,), generator=generator)
        mask[row, at] = 1
    return ids, mask


def make_sequences(taught=TAUGHT):
    """The student's and the teacher's batch, over the same completions."""
    generator = torch.Generator().manual_seed(1)
    completion = padded(LENGTHS["completion"], "right", generator)
    loss_mask = completion[1] * taught[:, None]
    return [
        Sequences(*padded(LENGTHS[prompt], "left", generator), *completion, loss_mask)
        for prompt in ("prompt", "teacher")
    ]


def forward(model):
    def run(ids, mask, count):
        run.shapes.append(tuple(ids.shape))
        hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        return hidden[:, :-1][:, -count:]

    run.shapes = []
    return run


def whole(model, s):
    ids, mask = torch.cat([s.prompt_ids, s.completion_ids], 1), torch.cat([s.prompt_mask, s.completion_mask], 1)
    return forward(model)(ids, mask, s.completion_ids.shape[1])


def loss_and_gradient(model, hidden_of, sequences):
    """The self-distillation loss, the model's gradient as one vector, and A_t."""
    student, teacher = sequences
    model.zero_grad()
    with torch.no_grad():
        teacher_hidden = hidden_of(model, teacher)
    head = Head(model.lm_head.weight)
    output = divergence_loss(
        hidden_of(model, student), teacher_hidden, head, student.completion_ids, student.loss_mask.bool()
    )
    output.loss.backward()
    return output.loss.detach(), torch.cat([p.grad.flatten() for p in model.parameters()]), output.advantage


def bucketed(max_tokens):
    return lambda model, s: bucketed_hidden_states(forward(model), s, max_tokens, pass_cost=0).hidden


@pytest.mark.parametrize("max_tokens", [None, 60, 1], ids=["no limit", "some", "each row alone"])
def test_loss_gradient_and_advantage_are_those_of_the_whole_batch(model, max_tokens):
    sequences = make_sequences()
    loss, gradient, advantage = loss_and_gradient(model, whole, sequences)
    bucketed_loss, bucketed_gradient, bucketed_advantage = loss_and_gradient(model, bucketed(max_tokens), sequences)
    assert gradient.norm() > 1e-2
    assert abs(bucketed_loss - loss) <= 1e-6 * loss
    assert (bucketed_gradient - gradient).norm() <= 1e-6 * gradient.norm()
    torch.testing.assert_close(bucketed_advantage, advantage, rtol=1e-4, atol=1e-5)


def test_passes_are_trimmed_and_padding_is_counted(model):
    student, teacher = make_sequences()
    run = forward(model)
    result = bucketed_hidden_states(run, student, pass_cost=5)
    assert run.shapes == [(2, 13), (1, 25), (1, 36)]  # rows 1 and 3; 0; 2; row 4 has no loss
    assert (result.num_passes, result.num_computed) == (3, 2 * 13 + 25 + 36)
    assert result.num_tokens == (9 + 3) + (7 + 4) + (5 + 20) + (3 + 33)
    assert result.hidden.shape == (5, 33, 32)
    assert not result.hidden[4].any() and result.hidden[2].any(-1).all()
    # the teacher's prompts are longer, so its rows share passes in another way
    run = forward(model)
    bucketed_hidden_states(run, teacher, pass_cost=5)
    assert run.shapes == [(1, 15), (1, 44), (1, 50), (1, 58)]


def test_a_pass_costs_something(model):
    student, _ = make_sequences()
    assert bucketed_hidden_states(forward(model), student, pass_cost=10_000).num_passes == 1
    assert bucketed_hidden_states(forward(model), student, pass_cost=0).num_passes == 4


def test_loss_in_the_middle_of_a_completion_needs_no_later_token(model):
    student, _ = make_sequences()
    student.loss_mask[:, 2:] = 0
    run = forward(model)
    bucketed_hidden_states(run, student, pass_cost=10_000)
    assert run.shapes == [(4, 9 + 2)]


def test_a_batch_without_loss_has_a_gradient_of_zero(model):
    sequences = make_sequences(taught=torch.zeros(5, dtype=torch.long))
    loss, gradient, _ = loss_and_gradient(model, bucketed(None), sequences)
    assert loss == 0 and not gradient.any()
    assert all(p.grad is not None for p in model.parameters())


def test_groups_are_of_similar_length_and_within_the_limit():
    prompts, completions = [10] * 6, [500, 20, 480, 0, 30, 25]
    assert group_rows(prompts, completions, pass_cost=64) == [[1, 5, 4], [2, 0]]
    assert group_rows(prompts, completions, max_tokens=600, pass_cost=64) == [[1, 5, 4], [2], [0]]
    assert group_rows(prompts, completions, max_tokens=1) == [[1], [5], [4], [2], [0]]
    assert group_rows([], []) == group_rows([4], [0]) == []


def test_groups_are_the_cheapest_cuts():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        prompts = torch.randint(1, 30, (7,), generator=generator).tolist()
        completions = torch.randint(1, 30, (7,), generator=generator).tolist()
        groups = group_rows(prompts, completions, max_tokens=120, pass_cost=20)
        order = sorted(range(7), key=lambda row: (prompts[row] + completions[row], row))
        assert [row for rows in groups for row in rows] == order
        assert cost(groups, prompts, completions) == min(
            cost(cuts, prompts, completions) for cuts in all_cuts(order) if fits(cuts, prompts, completions)
        )


def size(rows, prompts, completions):
    return len(rows) * (max(prompts[row] for row in rows) + max(completions[row] for row in rows))


def cost(groups, prompts, completions):
    return sum(size(rows, prompts, completions) + 20 for rows in groups)


def fits(groups, prompts, completions):
    return all(len(rows) == 1 or size(rows, prompts, completions) <= 120 for rows in groups)


def all_cuts(order):
    for bits in range(2 ** (len(order) - 1)):
        groups = [[order[0]]]
        for at, row in enumerate(order[1:]):
            if bits >> at & 1:
                groups.append([])
            groups[-1].append(row)
        yield groups


def test_an_impossible_limit_is_refused():
    with pytest.raises(ConfigError, match="max_tokens is 0; expected at least 1"):
        group_rows([3], [3], max_tokens=0)
