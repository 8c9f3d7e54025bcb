"""The self-teacher's solve rate at checkpoints, on the micro world."""

from stepalign.core.files import read_jsonl
from stepalign.settings.commands import TRAIN
from stepalign.settings.given import read_given
from stepalign.settings.resolve import resolve_training
from stepalign.training.run import train

ARGV = ["--config", "micro", "--per_device_train_batch_size", "8", "--micro_num_train", "16", "--probe_steps", "0"]


def rows(directory, condition, count="6"):
    argv = [*ARGV, "--condition", condition, "--max_steps", "2", "--save_steps", "1", "--probe_teacher", count]
    train(resolve_training(read_given(TRAIN, [*argv, "--output_dir", str(directory)])))
    return read_jsonl(directory / "teacher.jsonl")


def test_it_is_measured_at_each_checkpoint_and_a_good_context_helps(tmp_path):
    helped = rows(tmp_path / "stepalign", "stepalign")
    assert [(row["step"], row["num_rollouts"]) for row in helped] == [(1, 6), (2, 6)]
    assert all(row["teacher"] > 0.5 for row in helped)  # the exact critique says the answer
    foreign = rows(tmp_path / "other", "other")
    assert all(row["teacher"] < 0.5 for row in foreign)
    assert "teacher/teacher" in read_jsonl(tmp_path / "stepalign" / "metrics.jsonl")[-1]


def test_it_draws_nothing_from_the_runs_own_generators(tmp_path):
    rows(tmp_path / "with", "stepalign")
    rows(tmp_path / "without", "stepalign", "0")
    first, second = (
        [row["text"] for row in read_jsonl(tmp_path / name / "rollouts.jsonl")] for name in ("with", "without")
    )
    assert first == second and not (tmp_path / "without" / "teacher.jsonl").exists()
