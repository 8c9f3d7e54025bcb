"""The code world: its problems are what their tests say, and its critic sees each slip and nothing else."""

import random

import pytest

from stepalign.core.errors import ConfigError, DataError
from stepalign.core.problem import Problem
from stepalign.core.program import render_program
from stepalign.core.rollout import Rollout
from stepalign.data.label import Label
from stepalign.data.labels import load_labels
from stepalign.grading import Grader
from stepalign.micro import exact
from stepalign.micro.code import CodeWorld, code_problems
from stepalign.micro.code.critic import exact_program_critique, exact_program_rewrite
from stepalign.micro.code.rollouts import is_chance, labelled_programs, solver_program
from stepalign.micro.code.spec import parse_spec
from stepalign.micro.code.wording import Style, forms_of, parse_line, program_lines, word_line
from stepalign.micro.worlds import split_problems

PROBLEMS = code_problems(CodeWorld(), 60, seed=3)
TEXT = (
    "Write f(n). Start with 3. For each i from 1 to n: if i is at least 4, add 2 times i, otherwise take away 5. "
    "Then add 7."
)
(PROBLEM,) = (Problem("p", TEXT, tests=PROBLEMS[0].tests),)
LINES = (
    "def f(n):",
    "    total = 3",
    "    for j in range(1, n + 1):",
    "        if j >= 4:",
    "            total += 2 * j",
    "        else:",
    "            total = total - 5",
    "    total += 7",
    "    return total",
)


def written(*changes: tuple[int, str | None], finish_reason="stop") -> Rollout:
    """The right program with lines (from 1) changed, or left out."""
    lines = list(LINES)
    for number, line in changes:
        lines[number - 1] = line
    return Rollout(
        PROBLEM, 0, render_program([line for line in lines if line is not None]), finish_reason=finish_reason
    )


def steps(critique):
    return [(step.origin, step.text) for step in critique.steps]


@pytest.fixture(scope="module")
def grader():
    with Grader() as grader:
        yield grader


def test_references_of_either_author_pass_their_tests(grader):
    for problem in [*PROBLEMS[:20], *code_problems(CodeWorld(foreign=0.5), 10, seed=4)]:
        assert grader.grade(problem.solution, problem).is_correct, problem
    assert all("while" in problem.solution for problem in PROBLEMS)
    assert not any("while" in problem.solution for problem in code_problems(CodeWorld(foreign=0.0), 20, seed=3))
    same = code_problems(CodeWorld(foreign=0.0), 60, seed=3)
    assert [problem.problem for problem in same] == [problem.problem for problem in PROBLEMS]


def test_tests_really_run_against_the_reading_of_the_text(grader):
    spec = parse_spec(TEXT)
    assert spec.text == TEXT and spec.chances == ("bound", "guard", "update", "otherwise", "after 0")
    assert [spec.run(n) for n in (0, 1, 4, 5)] == [10, 5, 3, 13]
    assert spec.run(4, ("guard",)) == -10 and spec.run(4, ("bound",)) == -5


def test_a_label_is_where_the_program_fails_and_the_critic_finds_it(grader):
    kinds = set()
    for rollout, wrong in labelled_programs(PROBLEMS, seed=1):
        critique = exact.critique(rollout)
        assert critique.first_wrong_step == wrong
        assert grader.grade(rollout.text, rollout.problem).is_correct == (wrong is None)
        assert grader.grade(critique.text, rollout.problem).is_correct
        changed = [k for k, step in enumerate(critique.steps, 1) if step.origin != "copied"]
        assert changed == ([] if wrong is None else [wrong])  # the smallest change there is
        kinds.add(None if wrong is None else parse_line(rollout.trace.steps[wrong - 1].text).kind)
    assert kinds == {None, "for", "if", "update"}


def test_what_follows_a_slip_is_kept_and_written_as_the_solver_does():
    critique = exact_program_critique(written((4, "        if j > 4:"), (7, "            total = total + 5")))
    assert (critique.case, critique.first_wrong_step, critique.answer) == ("D", 4, None)
    assert [text for _, text in steps(critique)] == list(LINES)
    assert [k for k, (origin, _) in enumerate(steps(critique), 1) if origin == "rewritten"] == [4, 7]


@pytest.mark.parametrize(
    ("changes", "first_wrong", "origins"),
    [
        ([(3, "    for j in range(1, n + 1)")], 3, {3: "rewritten"}),  # no colon
        ([(4, "      if j >= 4:")], 4, {4: "rewritten"}),  # another indent
        ([(5, "            total += 2 * i")], 5, {5: "rewritten"}),  # a name that is not there
        ([(8, None)], 8, {8: "inserted"}),
        ([(5, "            tot += 2 * j"), (6, None), (7, None)], 5, {5: "rewritten", 6: "inserted", 7: "inserted"}),
    ],
)
def test_what_is_no_right_line_is_written_again(changes, first_wrong, origins):
    critique = exact_program_critique(written(*changes))
    assert critique.first_wrong_step == first_wrong and critique.case == "D"
    assert [parse_line(text) for _, text in steps(critique)] == [parse_line(line) for line in LINES]
    assert {k: o for k, (o, _) in enumerate(steps(critique), 1) if o != "copied"} == origins


def test_what_is_put_in_has_the_form_that_the_solver_used_first():
    assert exact_program_critique(written((8, None))).steps[7].text == "    total += 7"  # as line 5, not as line 7
    full = written((5, "            total = total + 2 * j"), (7, "            total -= 5"), (8, None))
    assert exact_program_critique(full).steps[7].text == "    total = total + 7"


def test_unfinished_programs_and_none_at_all():
    cut = exact_program_critique(written((8, None), (9, None), finish_reason="length"))
    assert (cut.case, cut.first_wrong_step) == ("C", None) and cut.steps[-1].origin == "inserted"
    half = exact_program_critique(written((8, "    tot"), (9, None), finish_reason="length"))
    assert (half.case, half.first_wrong_step) == ("C", 8)
    nothing = exact_program_critique(Rollout(PROBLEM, 0, "I do not know."))
    assert nothing.case == "C" and all(step.origin == "inserted" for step in nothing.steps)
    with pytest.raises(DataError, match="code world"):
        exact_program_critique(Rollout(Problem("p", "Print 3.", tests=PROBLEMS[0].tests), 0, "print(3)"))


def test_a_line_that_is_told_is_written_again_with_what_is_before_it_as_it_is(grader):
    slipped = written((4, "        if j > 4:"))
    for step in range(1, 10):
        critique = exact_program_rewrite(slipped, step)
        assert critique.first_wrong_step == step
        assert [text for _, text in steps(critique)[: step - 1]] == [s.text for s in slipped.trace.steps[: step - 1]]
        assert critique.verified == (step <= 4)
        assert all(step.origin == "rewritten" for step in critique.steps[step - 1 :])
    assert exact_program_rewrite(slipped, 5).steps[4].text == "            total = total + j * 2"  # another form
    assert exact_program_rewrite(Rollout(PROBLEM, 0, "?\n?"), 2) is None


def test_each_line_reads_back_as_it_was_meant_whoever_words_it():
    rng = random.Random(0)
    for problem in PROBLEMS:
        for foreign in (0.0, 0.5, 1.0):
            style = Style(rng, foreign)
            for line in program_lines(parse_spec(problem.problem), style):
                text = word_line(line, style)
                assert parse_line(text) == line, text
                again = Style(rng, 0.0, forms_of(text), style.name, style.loop, style.uses_while)
                assert word_line(line, again) == text


def test_slips_come_at_chances_only():
    for problem in PROBLEMS[:20]:
        spec, style = parse_spec(problem.problem), Style(random.Random(1), 0.5)
        assert sum(is_chance(line) for line in program_lines(spec, style)) == len(spec.chances)
        right, slips = (solver_program(spec, style, lambda slip=slip: slip) for slip in (False, True))
        differing = [parse_line(a) != parse_line(b) for a, b in zip(right, slips, strict=True)]
        assert sum(differing) == len(spec.chances)


def test_splits_share_no_problem_and_dials_are_checked():
    splits = split_problems(CodeWorld(), {"train": 20, "test": 10}, seed=0)
    assert not {p.problem for p in splits["train"]} & {p.problem for p in splits["test"]}
    with pytest.raises(ConfigError, match="2 <= min <= max <= 6"):
        CodeWorld(min_chances=1)
    with pytest.raises(ConfigError, match="share between 0 and 1"):
        CodeWorld(foreign=2)


def test_labelled_programs_come_back_from_their_file():
    made = labelled_programs(PROBLEMS[:12], seed=1)
    labels = load_labels([Label(rollout, wrong).to_json() for rollout, wrong in made])
    for (rollout, wrong), label in zip(made, labels, strict=True):
        assert (label.rollout.text, label.first_wrong_step) == (rollout.text, wrong)
        assert label.rollout.problem.tests == rollout.problem.tests
        assert label.steps == [step.text for step in rollout.trace.steps]
