"""Training without contexts stops, says why there were none, and can be taken up again."""

import pytest
from tests.fault_server import Answer, FaultServer

from stepalign.cli import main
from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.micro import World, make_problems

QUICK = ["train", "--config", "micro", "--max_steps", "4", "--save_steps", "1", "--per_device_train_batch_size", "2",
         "--max_completion_length", "24", "--micro_num_train", "12", "--probe_steps", "0"]  # fmt: skip


def steps(out):
    return [row["step"] for row in read_jsonl(out / "metrics.jsonl")]


def test_without_solutions_refsol_stops_and_the_same_command_goes_on(tmp_path, capsys):
    out, path = tmp_path / "run", tmp_path / "problems.jsonl"
    problems = [problem.to_json() for problem in make_problems(World(), 8, seed=3)]
    write_jsonl(path, ({**problem, "solution": None} for problem in problems))
    argv = [*QUICK, "--condition", "refsol", "--train_problems", str(path), "--output_dir", str(out)]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "step 3: no rollout got a context in 3 steps in a row, so nothing is learned" in error
    assert "none 6" in error and "give problems that have a 'solution'" in error and "run the same command" in error
    assert steps(out) == [1, 2] and (out / "checkpoint-2" / "progress.json").exists()
    write_jsonl(path, problems)
    assert main(argv) == 0
    assert steps(out) == [1, 2, 3, 4]
    assert {row["context_status"] for row in read_jsonl(out / "rollouts.jsonl") if row["step"] > 2} == {"ok"}


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (Answer(status=422), "http_422 2", "http_422: scripted 422"),
        (Answer(content="I would rather not say."), "not_json 2", "not_json: 'I would rather not say.'"),
    ],
)
def test_a_critic_that_fails_is_told_with_its_reasons_and_its_last_words(tmp_path, capsys, answer, reason, words):
    with FaultServer(lambda number, body: answer) as server:
        critic = ["--critic", "openai", "--critic_base_url", server.url, "--critic_model", "m"]
        critic += ["--critic_num_reasks", "0", "--max_steps_without_context", "1"]
        assert main([*QUICK, "--condition", "stepalign", *critic, "--output_dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"num_rejected in ledger.json: {reason}" in error and words in error
    assert "in a whole step" in error and "max_steps_without_context (now 1; 0: never)" in error


def test_prompts_that_are_too_long_are_named_as_such(tmp_path, capsys):
    long = ["--condition", "refsol", "--max_teacher_prompt_length", "20", "--output_dir", str(tmp_path / "run")]
    assert main([*QUICK, *long]) == 2
    assert "too_long 6). The teacher's prompts are too long: raise max_teacher_prompt_length (now 20)" in (
        capsys.readouterr().err
    )
    assert main([*QUICK, *long, "--max_steps_without_context", "0"]) == 0  # asked for
    assert steps(tmp_path / "run") == [1, 2, 3, 4]


def test_steps_with_a_context_begin_the_count_anew(tmp_path, monkeypatch):
    from stepalign.feedback.from_references import RefSol

    contexts, calls = RefSol.contexts, []

    def every_third(self, rollouts):
        calls.append(len(rollouts))
        return contexts(self, rollouts) if len(calls) % 3 == 0 else [None] * len(rollouts)

    monkeypatch.setattr(RefSol, "contexts", every_third)
    argv = [*QUICK, "--condition", "refsol", "--max_steps", "6", "--output_dir", str(tmp_path)]
    assert main(argv) == 0
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
