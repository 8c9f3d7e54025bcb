from stepalign.core.files import write_jsonl
from stepalign.report.comparison.terminal import print_results, print_warnings
from stepalign.runs.results import Results


def test_warnings_are_one_line_and_none_where_there_are_none(tmp_path, capsys):
    directories = {("grpo", 0): tmp_path / "grpo", ("refsol", 0): tmp_path / "refsol", ("refsol", 1): tmp_path / "more"}
    print_warnings(directories)
    assert capsys.readouterr().out == ""
    write_jsonl(tmp_path / "grpo" / "warnings.jsonl", [{"step": 12, "message": "short"}])
    write_jsonl(
        tmp_path / "more" / "warnings.jsonl", [{"step": 12, "message": "short"}, {"step": 14, "message": "long"}]
    )
    print_warnings(directories)
    line = "Warnings during training: grpo seed 0 (1), refsol seed 1 (2). The report says what was seen and what to do."
    assert capsys.readouterr().out == line + "\n"


def test_accuracies_stand_beside_what_was_cut_off_and_what_had_no_answer(capsys):
    def metrics(cut_off, unparseable):
        return {"avg@2": 0.5, "truncated_rate": cut_off, "unparseable_rate": unparseable, "ci95": {"avg@2": [0.4, 0.6]}}

    seeds = {
        seed: {"checkpoints": [], "best": {"avg@2": {"step": 1, "value": 0.5}}, "selected": {"step": 1, "test": found}}
        for seed, found in (("0", metrics(0.0, 0.25)), ("1", metrics(1.0, 0.75)))
    }
    mean = {"avg@2": {"value": 0.5, "ci95": [0.4, 0.6]}}
    conditions = {"grpo": {"seeds": seeds, "selected_mean": mean}}
    print_results(Results.read("", {"base": metrics(0.125, 0.5), "conditions": conditions, "paired": {}}))
    lines = [" ".join(line.replace("│", " ").split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("base model") and line.endswith("12.5 / 50.0") for line in lines)
    assert any(line.startswith("grpo") and line.endswith("50.0 / 50.0") for line in lines)
