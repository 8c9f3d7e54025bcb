"""The command end to end on the micro solver: files, flags, rollouts of a run, and errors with exit code 2."""

import json
import sys

import pytest
import yaml

import stepalign
from stepalign.cli import main
from stepalign.core.critique import Critique
from stepalign.core.files import append_jsonl, read_jsonl, write_jsonl
from stepalign.core.problem import Problem
from stepalign.feedback.critics.verify import reference_critique
from stepalign.micro import exact_critique
from stepalign.report.probes import scored_rollouts
from stepalign.report.write import write_report
from stepalign.runs.rows import CritiqueRow

PROBLEM = "Start with 62. Add 78. Minus 82."
RESPONSE = """<step_1>Next put on 78: 2+8=10 carry 1; 6+7+1=14. We get 140.</step_1>
<step_2>Now minus 82: 10-2=8 carry 1, 14-8-1=5, 1-0=1. That makes 158.</step_2>
<answer>158</answer>"""
SOLUTION = "<step_1>Consider augment by 78. Whence 140.</step_1>\n<answer>58</answer>"
CASE = {"model": "micro", "problem": PROBLEM, "response": RESPONSE, "contexts": {"refsol": SOLUTION}}
LISTS = ("student_logp", "teacher_logp", "advantage", "divergence")


def inspect(*argv):
    return main(["inspect", *map(str, argv)])


def read(directory):
    return json.loads((directory / "advantage.json").read_text())


def test_half_a_surrogate_pair_anywhere_in_a_case(tmp_path):
    path = tmp_path / "case.yaml"
    text = json.dumps({**CASE, "problem": PROBLEM + " \ud83d", "contexts": {"r\ud83d": SOLUTION + "\ud83d"}})
    path.write_text(text)
    assert inspect(path, "--output_dir", tmp_path / "o", "--context", "own=a\udc80") == 0
    result = read(tmp_path / "o")
    assert list(result["contexts"]) == ["r\ufffd", "own"] and "\ufffd" in result["problem"]
    assert (tmp_path / "o" / "inspect.html").read_text(encoding="utf-8")


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "case.yaml"
    path.write_text(yaml.safe_dump({**CASE, "first_wrong_step": 2}, sort_keys=False))
    return path


@pytest.fixture
def run(tmp_path):
    """The directory of one condition and seed, as a comparison leaves it."""
    directory = tmp_path / "run" / "conditions" / "stepalign" / "seed_0"
    problem = Problem("p1", PROBLEM, "58", SOLUTION)
    rollout = stepalign.Rollout(problem, 0, RESPONSE, finish_reason="stop", num_tokens=999)
    critique = exact_critique(rollout)
    row = {"step": 1, **rollout.to_json(), "context": critique.text, "context_status": "ok"}
    row["critique"] = {**critique.to_json(), "verified": True, "source": "exact"}
    append_jsonl(directory / "rollouts.jsonl", row, {**row, "context": None, "critique": None})
    write_jsonl(tmp_path / "run" / "problems" / "train.jsonl", [problem.to_json()])
    settings = {"condition": "stepalign", "model_name_or_path": "micro", "prompt_templates": "bare"}
    (directory / "config.yaml").write_text(yaml.safe_dump(settings))
    return directory


def test_a_case_file_gives_numbers_a_page_and_a_summary(case, tmp_path, capsys):
    assert inspect(case, "--output_dir", tmp_path / "out") == 0
    result = read(tmp_path / "out")
    assert list(result["contexts"]) == ["refsol"]
    length = len(result["response_token_ids"])
    assert len(result["tokens"]) == len(result["token_steps"]) == length > 50
    context = result["contexts"]["refsol"]
    assert {len(context[key]) for key in LISTS} == {length}
    assert context["localization"]["mean_correct"] < 0 and context["alignment"]["overall"] < 0.5
    assert (result["first_wrong_step"], result["first_wrong_step_source"]) == (2, "case file")
    assert result["model"] == "micro" and result["dtype"] == "float32"
    assert "<html" in (tmp_path / "out" / "inspect.html").read_text()
    out = capsys.readouterr().out
    assert "AUROC" in out and "constructed" in out and "advantage.json" in out and "\x1b[" not in out


def test_flags_say_the_same_as_a_file_and_win_over_it(case, tmp_path):
    (tmp_path / "response.txt").write_text(RESPONSE + "\n")
    (tmp_path / "reference.txt").write_text(SOLUTION + "\n")
    flags = ["--model", "micro", "--problem", PROBLEM, "--response", f"@{tmp_path / 'response.txt'}"]
    assert inspect(case, "--output_dir", tmp_path / "a") == 0
    context = f"refsol=@{tmp_path / 'reference.txt'}"
    assert inspect(*flags, "--context", context, "--first_wrong_step", 2, "--output_dir", tmp_path / "b") == 0
    a, b = read(tmp_path / "a"), read(tmp_path / "b")
    assert b.pop("first_wrong_step_source") == "command line" and a.pop("first_wrong_step_source") == "case file"
    assert a == b
    more = ["--context", "hint=It is 58 = 140 - 82.", "--first_wrong_step", "1"]
    assert inspect(case, *more, "--output_dir", tmp_path / "c") == 0
    c = read(tmp_path / "c")
    assert list(c["contexts"]) == ["refsol", "hint"] and c["first_wrong_step"] == 1
    assert c["contexts"]["hint"]["context"] == "It is 58 = 140 - 82."


def test_the_exact_critic_finds_the_step_and_writes_a_context(tmp_path):
    flags = ["--model", "micro", "--problem", PROBLEM, "--response", RESPONSE, "--critic", "exact"]
    assert inspect(*flags, "--context", "own=@critic", "--output_dir", tmp_path) == 0
    result = read(tmp_path)
    assert (result["first_wrong_step"], result["first_wrong_step_source"]) == (2, "critique")
    assert (result["critique"]["case"], result["critique"]["verified"]) == ("D", True)
    assert result["contexts"]["own"]["alignment"]["overall"] == 1.0
    assert result["contexts"]["own"]["localization"]["mean_correct"] > 0


def test_rollouts_of_a_run(run, tmp_path, capsys):
    argv = ["--run", run, "--rollout", "0", "1", "--context", "refsol=@solution"]
    assert inspect(*argv, "--output_dir", tmp_path / "out", "--figure", tmp_path / "f.svg") == 0
    first, second = read(tmp_path / "out" / "rollout-0"), read(tmp_path / "out" / "rollout-1")
    assert list(first["contexts"]) == ["stepalign", "refsol"] and list(second["contexts"]) == ["refsol"]
    assert (first["first_wrong_step"], first["first_wrong_step_source"]) == (2, "critique")
    assert second["first_wrong_step_source"] is second["critique"] is None
    assert first["critique"]["case"] == "D"
    assert (first["rollout"]["index"], first["rollout"]["problem_id"], first["answer"]) == (0, "p1", "58")
    assert any("999 tokens were sampled" in note for note in first["notes"])
    assert (tmp_path / "f-rollout-0.svg").exists() and (tmp_path / "f-rollout-1.svg").exists()
    assert "rollout-1" in capsys.readouterr().out


def test_an_inspected_rollout_opens_with_its_tokens_in_the_runs_page(run, tmp_path, capsys):
    rows = read_jsonl(run / "rollouts.jsonl")
    write_jsonl(run / "rollouts.jsonl", [{**row, "sample": i} for i, row in enumerate(rows)])
    assert inspect("--run", run, "--rollout", "0", "--output_dir", tmp_path / "out") == 0
    assert f"stepalign report {run}" in capsys.readouterr().out.splitlines()[-1]
    assert inspect("--run", run, "--rollout", "0", "--context", "hint=Mind the borrow.", "--output_dir", tmp_path) == 0
    scored = scored_rollouts(run, "stepalign")
    (of,) = scored.values()
    assert [(place[0], place[1]) for place in scored] == [("p1", 0)]
    assert list(of.contexts) == ["stepalign", "hint"]  # the last one counts
    assert of.contexts["hint"][0] == read(tmp_path)["contexts"]["hint"]["advantage"]
    data = json.loads(write_report(run).read_text().split('id="data">')[1].split("</script>")[0])
    assert data["scored"] == ["stepalign", "hint"] and data["rollouts"]["scored"] == ["yes", "no"]


def test_the_loss_is_the_runs_own_unless_another_is_given(run, case, tmp_path, capsys):
    settings = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"{settings}\ndivergence: reverse_kl\ndivergence_clip: 0.05\n")
    argv = ["--run", run, "--rollout", "0"]
    assert inspect(*argv, "--output_dir", tmp_path / "own") == 0
    assert inspect(*argv, "--loss", '{"divergence": "jsd"}', "--output_dir", tmp_path / "given") == 0
    own, given = read(tmp_path / "own"), read(tmp_path / "given")
    assert (own["loss"]["divergence"], own["loss"]["divergence_clip"]) == ("reverse_kl", 0.05)
    assert (given["loss"]["divergence"], given["loss"]["divergence_clip"]) == ("jsd", None)
    assert own["contexts"]["stepalign"]["logit_push"] != given["contexts"]["stepalign"]["logit_push"]
    capsys.readouterr()
    for source in (argv, [case]):
        assert inspect(*source, "--loss", '{"divergence": "jds"}', "--output_dir", tmp_path / "bad") == 2
        assert "unknown divergence 'jds'; perhaps you meant 'jsd'" in capsys.readouterr().err


def test_alternatives_can_be_left_out(case, tmp_path, capsys):
    assert inspect(case, "--num_alternatives", 0, "--output_dir", tmp_path) == 0
    assert "what would be" not in capsys.readouterr().out
    assert set(map(len, read(tmp_path)["student_top"])) == {0}
    assert inspect(case, "--num_alternatives", 2, "--output_dir", tmp_path) == 0
    assert "what would be" in capsys.readouterr().out
    assert set(map(len, read(tmp_path)["contexts"]["refsol"]["teacher_top"])) == {2}
    assert stepalign.inspect_case(CASE, num_alternatives=1)["student_top"][0][0][0].startswith("<step")


def test_a_reference_solution_in_a_critiques_place_calls_no_step_wrong(run, tmp_path, capsys):
    rollout = stepalign.Rollout(Problem("p1", PROBLEM, "58", SOLUTION), 0, RESPONSE)
    row = {
        "step": 1,
        **rollout.to_json(),
        "context": SOLUTION,
        "critique": CritiqueRow.of(reference_critique(rollout)).to_json(),
    }
    append_jsonl(run / "rollouts.jsonl", row)
    assert inspect("--run", run, "--rollout", "2", "--output_dir", tmp_path / "out") == 0
    assert read(tmp_path / "out")["first_wrong_step_source"] is None
    assert "first wrong step: not known" in capsys.readouterr().out


def test_sampled_ids_of_a_rollout_are_taken(run, tmp_path, micro_solver):
    ids = [
        *micro_solver.tokenizer(RESPONSE, add_special_tokens=False)["input_ids"],
        micro_solver.tokenizer.eos_token_id,
    ]
    row = {"step": 1, "problem_id": "p1", "sample": 0, "text": RESPONSE, "token_ids": ids, "context": "58"}
    append_jsonl(run / "rollouts.jsonl", row)
    assert inspect("--run", run, "--rollout", "2", "--output_dir", tmp_path / "out") == 0
    assert read(tmp_path / "out")["response_token_ids"] == ids


def test_from_python(tmp_path):
    result = stepalign.inspect_case(CASE, critic="exact", output_dir=tmp_path)
    assert result == read(tmp_path) and result["first_wrong_step"] == 2
    (tmp_path / "case.yaml").write_text(yaml.safe_dump(CASE))
    assert stepalign.inspect_case(tmp_path / "case.yaml")["first_wrong_step_source"] is None


def test_help_teaches(capsys):
    assert inspect("--help") == 0
    out = capsys.readouterr().out
    for part in ("contexts:", "--run", "@critic", "A_t = log p", "advantage.json", "examples:"):
        assert part in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: no such file"),
        ([], "command line: 'model' is missing; got nothing"),
        (["CASE", "--response", " "], "'response' is empty"),
        (["CASE", "--response", "@nowhere.txt"], "nowhere.txt: no such file"),
        (["CASE", "--context", "no name"], "got 'no name'; expected NAME=TEXT"),
        (["CASE", "--context", "x=@critic"], "needs a critic; got none. Give --critic exact"),
        (["CASE", "--context", "x=@solution"], "needs the problem's reference solution"),
        (["CASE", "--critic", "exakt"], "unknown critic 'exakt'; perhaps you meant 'exact'"),
        (["CASE", "--problem", "What?", "--critic", "exact"], "micro"),
        (["CASE", "--figure", "f.jpg"], "got '.jpg'; expected one of .png, .svg, .pdf"),
        (["CASE", "--model", "./nowhere"], "no model directory './nowhere'"),
        (["CASE", "--adapter", "TMP"], "it has no adapter_config.json"),
        (["CASE", "--prompt_templates", "stepz"], "perhaps you meant 'steps'"),
        (["CASE", "--run", "RUN", "--rollout", "0"], "expected a case or rollouts of a run"),
        (["--run", "RUN"], "--run needs --rollout"),
        (["--run", "RUN", "--rollout", "7"], "no rollout 7"),
        (["--run", "RUN", "--rollout", "0", "--response", "x"], "got both --response and --run"),
        (["--run", "RUN", "--rollout", "1"], "no contexts; expected at least one"),
        (["--run", "TOP", "--rollout", "0"], "Take one of: "),
        (["--run", "TMP/empty", "--rollout", "0"], "has no rollouts.jsonl"),
    ],
)
def test_errors_are_one_message_with_exit_code_2(argv, message, case, run, tmp_path, capsys):
    places = {"CASE": str(case), "TMP": str(tmp_path), "RUN": str(run), "TOP": str(tmp_path / "run")}
    argv = [places.get(word, word.replace("TMP/", f"{tmp_path}/")) for word in argv]
    assert inspect(*argv, "--output_dir", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("stepalign: ")
    assert not (tmp_path / "out").exists()


def test_problems_that_are_no_longer_there(run, tmp_path, capsys):
    problems = tmp_path / "run" / "problems" / "train.jsonl"
    problems.rename(tmp_path / "moved.jsonl")
    argv = ["--run", run, "--rollout", "0", "--output_dir", tmp_path / "out"]
    assert inspect(*argv) == 2
    assert "Give --problems" in capsys.readouterr().err
    assert inspect(*argv, "--problems", tmp_path / "moved.jsonl") == 0


OTHER = Problem("p1", "Start with 11. Add 22. Minus 3.", "30", "33, then 30.")


def trained_run(directory, **settings):
    """The directory of a `train`, which keeps its problems."""
    problem = Problem("p1", PROBLEM, "58", SOLUTION)
    rollout = stepalign.Rollout(problem, 0, RESPONSE)
    append_jsonl(directory / "rollouts.jsonl", {"step": 1, **rollout.to_json(), "context": SOLUTION})
    (directory / "prompts.json").write_text(json.dumps({"student": f"<user>{PROBLEM}</user>", "teacher": None}))
    config = {"condition": "refsol", "model_name_or_path": "micro", "prompt_templates": "bare", **settings}
    (directory / "config.yaml").write_text(yaml.safe_dump({"train_problems": None, **config}))
    return directory


def test_a_rollout_is_read_with_the_problem_it_was_sampled_for(tmp_path, capsys):
    """Not with another one of the same id, in a `problems/` that happens to lie three levels up."""
    write_jsonl(tmp_path / "problems" / "train.jsonl", [OTHER.to_json()])
    write_jsonl(tmp_path / "own.jsonl", [Problem("p1", PROBLEM, "58", SOLUTION).to_json()])
    own = {"train_problems": str(tmp_path / "own.jsonl"), "output_dir": "a/b/c"}
    for place in ("runs/a/refsol", "conditions/refsol/seed_0"):
        run = trained_run(tmp_path / place, **own)
        assert inspect("--run", run, "--rollout", "0", "--output_dir", tmp_path / "out") == 0
        result = read(tmp_path / "out")
        assert (result["problem"], result["answer"]) == (PROBLEM, "58")


def test_problems_that_a_run_keeps_come_first_and_others_must_be_the_same(tmp_path, capsys):
    run = trained_run(tmp_path / "refsol", train_problems=str(tmp_path / "changed.jsonl"))
    write_jsonl(run / "problems.used.jsonl", [Problem("p1", PROBLEM, "58").to_json()])
    write_jsonl(tmp_path / "changed.jsonl", [OTHER.to_json()])
    argv = ["--run", run, "--rollout", "0", "--output_dir", tmp_path / "out"]
    assert inspect(*argv) == 0 and read(tmp_path / "out")["problem"] == PROBLEM
    assert inspect(*argv, "--problems", tmp_path / "changed.jsonl") == 2
    error = capsys.readouterr().err
    assert "'p1' is not the one" in error and OTHER.problem in error and PROBLEM in error
    write_jsonl(tmp_path / "solved.jsonl", [Problem("p1", PROBLEM, "58", SOLUTION).to_json()])
    more = ["--problems", tmp_path / "solved.jsonl", "--context", "reference=@solution"]
    assert inspect(*argv, *more) == 0 and "reference" in read(tmp_path / "out")["contexts"]


def test_without_a_record_the_prompt_says_which_problem_it_was(tmp_path, capsys):
    run = trained_run(tmp_path / "refsol", train_problems=str(tmp_path / "changed.jsonl"))
    write_jsonl(tmp_path / "changed.jsonl", [OTHER.to_json()])
    argv = ["--run", run, "--rollout", "0", "--output_dir", tmp_path / "out"]
    assert inspect(*argv) == 2
    error = capsys.readouterr().err
    assert "'p1' is not the one" in error and "prompts.json" in error and OTHER.problem in error
    assert not (tmp_path / "out").exists()


def test_a_comparison_that_was_moved_has_its_problems_still(run, tmp_path):
    top = tmp_path / "run"
    settings = {
        "train_problems": str(top / "problems" / "train.jsonl"),
        "output_dir": str(run),
        "condition": "stepalign",
    }
    (run / "config.yaml").write_text(yaml.safe_dump({**settings, "model_name_or_path": "micro", "micro_seed": 0}))
    top.rename(tmp_path / "moved")
    moved = tmp_path / "moved" / run.relative_to(top)
    assert inspect("--run", moved, "--rollout", "0", "--output_dir", tmp_path / "out") == 0


def critic_of_tests(rollout):
    """A critic of one's own: right about the answer, or about nothing."""
    return exact_critique(rollout) if "82" in rollout.problem.problem else Critique("A", None, (), "1")


def test_any_critic_can_be_asked(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "own_critic", sys.modules[__name__])
    flags = ["--model", "micro", "--problem", PROBLEM, "--response", RESPONSE, "--context", "own=@critic"]
    own = [*flags, "--critic", "own_critic:critic_of_tests", "--output_dir", tmp_path / "own"]
    assert inspect(*own) == 2
    assert "needs the right answer" in capsys.readouterr().err
    assert inspect(*own, "--answer", "58") == 0
    result = read(tmp_path / "own")
    assert (result["first_wrong_step"], result["first_wrong_step_source"]) == (2, "critique")
    assert result["contexts"]["own"]["context"].endswith("<answer>58</answer>")
    assert inspect(*own, "--answer", "59") == 2
    assert "gave no critique that could be used: wrong_answer" in capsys.readouterr().err
    cache = ["--critic", "micro", "--critic_cache", tmp_path / "cache.sqlite", "--critic_on_failure", "reference"]
    argv = ["--run", run, "--rollout", "1", *cache, "--context", "own=@critic", "--output_dir", tmp_path / "micro"]
    assert inspect(*argv) == 0 and "<answer>58</answer>" in read(tmp_path / "micro")["contexts"]["own"]["context"]
    assert (tmp_path / "cache.sqlite").exists()


def test_template_kwargs_are_json(case, tmp_path, capsys):
    assert inspect(case, "--chat_template_kwargs", "[1]", "--output_dir", tmp_path) == 2
    assert "expected a JSON object" in capsys.readouterr().err
    assert inspect(case, "--chat_template_kwargs", '{"enable_thinking": false}', "--output_dir", tmp_path / "out") == 0
