"""A sampled program is looked at line by line, as one of a run is."""

from stepalign.core.files import write_jsonl
from stepalign.micro.code import CodeWorld, code_problems
from stepalign.settings.command_groups import InspectSettings
from stepalign.settings.commands import INSPECT
from stepalign.settings.given import given_values
from stepalign.signal.cases import cases_of


def test_its_steps_are_its_lines(tmp_path):
    (problem,) = code_problems(CodeWorld(), 1, seed=0)
    write_jsonl(tmp_path / "problems.jsonl", [problem.to_json()])
    write_jsonl(tmp_path / "samples.jsonl", [{"problem_id": problem.id, "sample": 0, "text": problem.solution}])
    files = {name: str(tmp_path / f"{name}.jsonl") for name in ("problems", "samples")}
    asked = {
        "model": "micro-code",
        "output_dir": str(tmp_path / "out"),
        "rollout": [0],
        "context": ["refsol=@solution"],
        **files,
    }
    given = given_values(INSPECT, None, asked)
    (case,) = cases_of(given.make(InspectSettings))
    trace = case.as_rollout().trace
    assert trace.layout == "code" and trace.steps[0].text == "def f(n):"
