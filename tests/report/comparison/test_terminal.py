from stepalign.core.files import write_jsonl
from stepalign.report.comparison.terminal import print_warnings


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
