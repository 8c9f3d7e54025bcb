import os
from pathlib import Path

import pytest

from stepalign.core.critique import Context
from stepalign.core.errors import ConfigError
from stepalign.core.problem import Problem
from stepalign.core.prompts import chat_template, check_templates, render_prompt

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


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("Q:\n{{ question }}", "line 2: 'question' is unknown; a template has: problem, context."),
        ("{% if problem %}\nx{% else %}\n{{ answer }}{% endif %}", "line 3: 'answer' is unknown"),
        ("{{ problem }\n", "line 1: unexpected '}'"),
        ("{% if problem %}", "line 1: Unexpected end of template"),
        ("\n{{ problem.text }}", "line 2: 'str object' has no attribute 'text'"),
        ("{{ problem + 1 }}", "line 1: "),
        ("{% include 'part.jinja' %}", "line 1: 'part.jinja' not found"),
    ],
)
def test_a_broken_template_is_one_message_with_its_line_and_what_there_is(tmp_path, template, message):
    (tmp_path / "student.jinja").write_text(template)
    with pytest.raises(ConfigError) as error:
        check_templates(str(tmp_path))
    assert message in str(error.value) and str(tmp_path) in str(error.value)
    assert "a template has: problem, context" in str(error.value)


def test_what_a_template_defines_or_asks_for_is_not_unknown(tmp_path):
    text = "{% set n = 2 %}{% for i in range(n) %}{{ i }}{% endfor %}{{ hint if hint is defined }}{{ problem }}"
    (tmp_path / "student.jinja").write_text(text)
    assert render_prompt(str(tmp_path), "student", problem=PROBLEM) == f"01{PROBLEM.problem}"


def test_each_role_is_checked_where_it_is_needed(tmp_path):
    (tmp_path / "student.jinja").write_text("{{ problem }}")
    check_templates(str(tmp_path))
    with pytest.raises(ConfigError, match=r"no teacher\.jinja"):
        check_templates(str(tmp_path), ["student", "teacher"])


def test_an_edited_template_is_read_again(tmp_path):
    path = tmp_path / "student.jinja"
    for i, text in enumerate(("one", "two")):
        path.write_text(text)
        os.utime(path, ns=(i, i))
        assert render_prompt(str(tmp_path), "student", problem=PROBLEM) == text


def test_plain_asks_what_steps_asks_and_brings_a_chat_template(tmp_path):
    for role in ("student", "teacher"):
        asked = [render_prompt(f, role, problem=PROBLEM, context=Context("C")) for f in ("plain", "steps")]
        assert asked[0] == asked[1]
    assert chat_template("steps") is chat_template("bare") is None
    (tmp_path / "chat.jinja").write_text("own")
    assert chat_template(str(tmp_path)) == "own"


def test_the_page_shows_the_plain_chat_template():
    page = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text()
    assert f"<!-- file: plain/chat.jinja -->\n```text\n{chat_template('plain')}\n```" in page
