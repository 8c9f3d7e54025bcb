"""The figure's rollouts: which are chosen, and that they are scored under every condition's context."""

import json
from dataclasses import replace

import pytest

from stepalign.core.critique import Context
from stepalign.core.files import read_json, write_jsonl
from stepalign.core.rollout import Rollout
from stepalign.micro import World, exact_critique, make_problems
from stepalign.runs.files import SIGNAL
from stepalign.runs.reading import read_run
from stepalign.runs.rows import CritiqueRow, RolloutRow
from stepalign.signal.policy import Policy
from stepalign.signal.showcase import kind_of, write_signal

PROBLEMS = make_problems(World(min_steps=2, max_steps=2, min_carries=2, max_carries=3), 4, seed=5)


def critique(case, first_wrong_step=None, *origins):
    steps = [{"text": "a", "origin": origin} for origin in origins]
    return {"critique": {"case": case, "first_wrong_step": first_wrong_step, "steps": steps, "answer": "1"}}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (critique("A", None, "copied"), "correct"),
        (critique("D", 2, "copied", "rewritten"), "wrong_step"),
        (critique("D", 1, "rewritten", "rewritten"), "wrong_approach"),
        (critique("D", None, "copied"), None),
        (critique("C", None, "copied", "inserted"), "wrong_approach"),
        (critique("B", 1, "inserted"), None),
        (
            {"critique": {**critique("D", None, "inserted")["critique"], "source": "reference"}, "grade": "wrong"},
            "wrong",
        ),
        ({"grade": "correct"}, "correct"),
        ({"grade": "wrong"}, "wrong"),
        ({"grade": "timeout"}, "wrong"),
    ],
)
def test_the_kind_of_a_recorded_rollout(row, kind):
    assert kind_of(RolloutRow.read("row", {"problem_id": "p", "text": "", **row})) == kind


def spoiled(solution, step):
    """The solution with the result of one step, and all after it, off."""
    head, at, tail = solution.partition(f"<step_{step}>")
    return head + at + tail.replace("1", "7").replace("2", "5")


@pytest.fixture
def rows(micro_solver):
    """Recorded rollouts: right, wrong from step 2 on, wrong from step 1 on, one that does not tokenize back, again."""

    def make(problem, text, step, sample=0, with_critique=True):
        ids = micro_solver.tokenizer(text)["input_ids"]
        row = {"step": step, "problem_id": problem.id, "sample": sample, "text": text, "num_tokens": len(ids) + 1}
        rollout = Rollout(problem, sample, text)
        made = exact_critique(rollout)
        right = made.case == "A"
        row |= {"finish_reason": "stop", "grade": "correct" if right else "wrong", "extracted": None}
        row |= {"context": made.text if with_critique else problem.solution, "context_status": "ok"}
        return row | ({"critique": CritiqueRow.of(made).to_json()} if with_critique else {})

    def all_rows(with_critique=True):
        a, b, c, d = PROBLEMS
        made = [
            make(a, spoiled(a.solution, 2), 1, 0, with_critique) | {"num_tokens": 3},
            make(b, spoiled(b.solution, 2), 1, 0, with_critique),
            make(c, spoiled(c.solution, 1), 1, 0, with_critique),
            make(c, spoiled(c.solution, 2), 2, 0, with_critique),
            make(d, d.solution, 2, 0, with_critique),
        ]
        return made

    return all_rows


@pytest.fixture
def run(tmp_path, rows):
    def make(conditions=("grpo", "refsol", "stepalign")):
        directories = {(name, 0): tmp_path / "conditions" / name / "seed_0" for name in conditions}
        for (name, _), directory in directories.items():
            write_jsonl(directory / "rollouts.jsonl", rows(name == "stepalign"))
        write_jsonl(tmp_path / "problems" / "train.jsonl", (problem.to_json() for problem in PROBLEMS))
        return tmp_path, directories

    return make


class Loader:
    def __init__(self, micro_solver):
        self.policy, self.calls = Policy(*micro_solver, prompt_templates="bare", max_teacher_prompt_length=500), 0

    def __call__(self):
        self.calls += 1
        return self.policy


def test_the_first_rollout_of_each_kind_is_scored_under_every_context(run, micro_solver):
    path, directories = run()
    write_signal(path, directories, Loader(micro_solver))
    signal = read_json(path / SIGNAL)
    assert signal["conditions"] == ["refsol", "stepalign"]
    rollouts = {r["kind"]: r for r in signal["rollouts"]}
    assert [(r["kind"], r["problem_id"], r["step"]) for r in signal["rollouts"]] == [
        ("wrong_step", PROBLEMS[1].id, 1),  # the first of its kind has another number of tokens than were sampled
        ("wrong_approach", PROBLEMS[2].id, 1),
        ("correct", PROBLEMS[3].id, 2),
    ]
    assert [rollouts[kind]["first_wrong_step"] for kind in ("correct", "wrong_step", "wrong_approach")] == [None, 2, 1]
    for rollout in signal["rollouts"]:
        assert set(rollout["contexts"]) == {"refsol", "stepalign"}
        assert "".join(rollout["tokens"]) == rollout["text"] + "<|im_end|>"
        assert {len(c["advantage"]) for c in rollout["contexts"].values()} == {len(rollout["tokens"])}
    wrong = rollouts["wrong_step"]
    first = wrong["token_steps"].index(2)
    aligned = wrong["contexts"]["stepalign"]["advantage"]
    assert min(aligned[first:]) < -1 < min(aligned[:first])  # the error is hit, the correct step is not
    assert len(read_run(path).signal) == 3


def test_it_is_made_once_and_again_when_conditions_are_added(run, micro_solver):
    path, directories = run()
    loader = Loader(micro_solver)
    write_signal(path, {("refsol", 0): directories["refsol", 0]}, loader)
    kinds = [r["kind"] for r in read_json(path / SIGNAL)["rollouts"]]
    assert kinds == ["wrong", "correct"]  # without critiques nobody knows where it went wrong
    write_signal(path, directories, loader)
    text = (path / SIGNAL).read_bytes()
    write_signal(path, directories, loader)
    assert loader.calls == 2 and (path / SIGNAL).read_bytes() == text
    (path / SIGNAL).unlink()
    write_signal(path, directories, loader)
    assert (path / SIGNAL).read_bytes() == text


def test_a_context_that_does_not_fit_is_left_out(run, micro_solver):
    path, directories = run()
    policy = Policy(*micro_solver, prompt_templates="bare")
    contexts = [Context(problem.solution) for problem in PROBLEMS[1:]]
    lengths = [len(policy.teacher_prompt(p, c)) for p, c in zip(PROBLEMS[1:], contexts, strict=True)]
    short = replace(policy, max_teacher_prompt_length=min(lengths))
    write_signal(path, directories, lambda: short)
    shown = [set(r["contexts"]) for r in read_json(path / SIGNAL)["rollouts"]]
    assert {"refsol", "stepalign"} not in shown[:-1] and any("refsol" in names for names in shown)
    (path / SIGNAL).unlink()
    none = replace(policy, max_teacher_prompt_length=5)
    write_signal(path, directories, lambda: none)
    assert read_json(path / SIGNAL)["rollouts"] == []


def test_without_a_self_distillation_condition_there_is_no_figure(run, micro_solver):
    path, directories = run(("grpo",))
    loader = Loader(micro_solver)
    write_signal(path, directories, loader)
    assert not (path / SIGNAL).exists() and loader.calls == 0


def test_without_recorded_rollouts_no_model_is_loaded(run, micro_solver):
    path, directories = run()
    for directory in directories.values():
        (directory / "rollouts.jsonl").unlink()
    loader = Loader(micro_solver)
    write_signal(path, directories, loader)
    assert json.loads((path / SIGNAL).read_text())["rollouts"] == [] and loader.calls == 0
