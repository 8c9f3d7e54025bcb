from stepalign.cli import main
from stepalign.data.labels import load_labels
from stepalign.data.problems import load_problems


def test_splits_are_written_and_disjoint(tmp_path, capsys):
    argv = ["micro", "--output_dir", str(tmp_path), "--num_train", "6", "--num_validation", "3", "--num_test", "4"]
    assert main([*argv, "--condensed", "1"]) == 0
    splits = [load_problems(tmp_path / f"{name}.jsonl") for name in ("train", "validation", "test")]
    assert [len(split) for split in splits] == [6, 3, 4]
    assert len({p.problem for split in splits for p in split}) == 13
    assert all("=" not in (p.solution or "") for split in splits for p in split)  # condensed: no columns
    assert "solver" in capsys.readouterr().out


def test_impossible_dials(tmp_path, capsys):
    assert main(["micro", "--output_dir", str(tmp_path), "--min_steps", "9"]) == 2
    assert "expected 1 <= min <= max <= 6" in capsys.readouterr().err


def test_labelled_rollouts_are_of_problems_of_their_own(tmp_path, capsys):
    argv = ["micro", "--output_dir", str(tmp_path), "--num_train", "6", "--num_validation", "3", "--num_test", "4"]
    assert main(argv) == 0
    assert not (tmp_path / "labels.jsonl").exists()
    before = (tmp_path / "train.jsonl").read_text()
    assert main([*argv, "--num_labels", "5"]) == 0
    assert (tmp_path / "train.jsonl").read_text() == before
    labels = load_labels(tmp_path / "labels.jsonl")
    known = {p.problem for name in ("train", "validation", "test") for p in load_problems(tmp_path / f"{name}.jsonl")}
    assert len(labels) == 5 and not known & {label.rollout.problem.problem for label in labels}
    assert "5 labelled rollouts" in capsys.readouterr().out


def test_problems_and_labels_of_the_code_world_are_read_back(tmp_path, capsys):
    argv = ["micro", "--world", "code", "--output_dir", str(tmp_path), "--num_train", "3", "--num_labels", "2"]
    assert main(argv) == 0
    problems = load_problems(str(tmp_path / "train.jsonl"))
    assert len(problems) == 3 and all(problem.tests.entry_point == "f" for problem in problems)
    assert [len(label.steps) > 3 for label in load_labels(str(tmp_path / "labels.jsonl"))] == [True, True]
    assert "--model micro-code" in capsys.readouterr().out
    assert main([*argv, "--min_carries", "1"]) == 2
    assert "2 <= min <= max <= 6" in capsys.readouterr().err
