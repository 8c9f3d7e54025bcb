from stepalign.core.files import append_jsonl, read_jsonl, write_json
from stepalign.runs.files import METRICS, PROGRESS, ROLLOUTS, checkpoints
from stepalign.training.callbacks import roll_back


def make_run(directory, sealed, unsealed, last_step):
    for step in sealed:
        write_json(directory / f"checkpoint-{step}" / PROGRESS, {"step": step, "wall_s": 1.5 * step})
    for step in unsealed:
        (directory / f"checkpoint-{step}").mkdir(parents=True)
        (directory / f"checkpoint-{step}" / "model.safetensors").write_bytes(b"half")
    for step in range(1, last_step + 1):
        append_jsonl(directory / METRICS, {"step": step, "loss": 0.1})
        append_jsonl(directory / ROLLOUTS, {"step": step, "num_tokens": 7}, {"step": step, "num_tokens": 3})


def test_a_killed_run_goes_back_to_its_last_sealed_checkpoint(tmp_path):
    make_run(tmp_path, sealed=[2, 10], unsealed=[12], last_step=13)
    last, wall_s = roll_back(tmp_path)
    assert last == tmp_path / "checkpoint-10" and wall_s == 15.0
    assert not (tmp_path / "checkpoint-12").exists()
    assert max(row["step"] for row in read_jsonl(tmp_path / METRICS)) == 10
    assert len(read_jsonl(tmp_path / ROLLOUTS)) == 20


def test_a_run_killed_before_its_first_checkpoint_starts_anew(tmp_path):
    make_run(tmp_path, sealed=[], unsealed=[], last_step=3)
    assert roll_back(tmp_path) == (None, 0.0)
    assert read_jsonl(tmp_path / METRICS) == [] and read_jsonl(tmp_path / ROLLOUTS) == []


def test_checkpoints_are_in_the_order_of_their_steps(tmp_path):
    make_run(tmp_path, sealed=[100, 20, 3], unsealed=[], last_step=0)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-3", "checkpoint-20", "checkpoint-100"]


def test_an_empty_directory_has_nothing_to_roll_back(tmp_path):
    assert roll_back(tmp_path / "new") == (None, 0.0)
