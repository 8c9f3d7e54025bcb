import pytest

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt

PROBLEM = Problem("p", "What is <2> & 2?", "4")


def test_the_student_sees_the_problem_and_the_teacher_the_context_too():
    student = render_prompt("steps", "student", problem=PROBLEM)
    teacher = render_prompt("steps", "teacher", problem=PROBLEM, context=Context("HINT {{ x }}"))
    assert "What is <2> & 2?" in student and "What is <2> & 2?" in teacher
    assert "HINT {{ x }}" in teacher and "HINT" not in student
    assert "<step_1>" in student and "<step_1>" in teacher


def test_bare_templates_add_nothing_to_the_problem():
    assert render_prompt("bare", "student", problem=PROBLEM) == PROBLEM.problem
    assert (
        render_prompt("bare", "teacher", problem=PROBLEM, context=Context("C"))
        == f"{PROBLEM.problem}\n\nC\n\nSolve it."
    )


def test_a_directory_is_a_family(tmp_path):
    (tmp_path / "student.jinja").write_text("Q: {{ problem }}")
    assert render_prompt(str(tmp_path), "student", problem=PROBLEM) == "Q: What is <2> & 2?"
    with pytest.raises(ConfigError, match=r"no teacher\.jinja"):
        render_prompt(str(tmp_path), "teacher", problem=PROBLEM)


def test_an_unknown_family_gets_a_suggestion():
    with pytest.raises(ConfigError, match="perhaps you meant 'steps'"):
        render_prompt("stepz", "student", problem=PROBLEM)
