import json

import pytest
from tests.fault_server import edit

from stepalign.clients.client import Reply
from stepalign.core.trace import render_steps
from stepalign.feedback.critics.critic import Rejected
from stepalign.feedback.critics.protocols import SCHEMA, parse_edit, render_edit, response_format

from .conftest import RIGHT, WRONG


def parse(rollout, *reply):
    return parse_edit(Reply(edit(*reply)), rollout)


def steps(critique):
    return [(step.text, step.origin) for step in critique.steps]


def test_case_a_is_the_trace(rollout):
    critique = parse(rollout(RIGHT), "A", 2, [], "something else")
    assert (critique.case, critique.first_wrong_step, critique.answer) == ("A", None, "20")
    assert critique.text == RIGHT


def test_case_d_keeps_the_start_and_replaces_the_rest(rollout):
    critique = parse(rollout(WRONG), "D", 1, ["5 * 4 = 20", "done"], "20")
    assert (critique.case, critique.first_wrong_step) == ("D", 2)
    assert steps(critique) == [("2 + 3 = 5", "copied"), ("5 * 4 = 20", "rewritten"), ("done", "inserted")]


def test_the_step_called_wrong_is_never_copied_but_later_ones_may_be(rollout):
    text = render_steps(["a = 1", "b = 2", "c = 3"], "3")
    critique = parse(rollout(text), "D", 0, ["a = 1", "b  = 2", "d = 4"], "4")
    assert steps(critique) == [("a = 1", "rewritten"), ("b = 2", "copied"), ("d = 4", "rewritten")]


def test_case_b_inserts_before_steps_that_come_back(rollout):
    critique = parse(rollout(RIGHT), "B", 1, ["now times 4", "5 * 4 = 20"], "20")
    assert steps(critique) == [("2 + 3 = 5", "copied"), ("now times 4", "inserted"), ("5 * 4 = 20", "copied")]
    assert critique.first_wrong_step == 2


def test_case_c_carries_on(rollout):
    critique = parse(rollout("<step_1>2 + 3 = 5</step_1>", finish_reason="length"), "C", 1, ["5 * 4 = 20"], "20")
    assert steps(critique) == [("2 + 3 = 5", "copied"), ("5 * 4 = 20", "inserted")]
    assert critique.first_wrong_step is None


def test_only_the_answer_was_wrong(rollout):
    critique = parse(rollout(RIGHT.replace("<answer>20", "<answer>24")), "D", 2, [], "20")
    assert (critique.first_wrong_step, critique.answer, len(critique.steps)) == (None, "20", 2)


def test_nothing_is_right(rollout):
    critique = parse(rollout(WRONG), "D", 0, ["(2 + 3) * 4 = 20"], "20")
    assert (critique.first_wrong_step, steps(critique)) == (1, [("(2 + 3) * 4 = 20", "rewritten")])


def test_untagged_steps_and_an_empty_response(rollout):
    assert parse(rollout("2 + 3 = 5\n5 * 4 = 24"), "D", 1, ["5 * 4 = 20"], "20").steps[0].text == "2 + 3 = 5"
    assert parse(rollout(""), "C", 0, ["2 + 3 = 5"], "20").first_wrong_step is None


@pytest.mark.parametrize("wrap", ["```json\n{}\n```", '<think>{{"case"</think> {}', "Here you are: {} Good luck!"])
def test_what_stands_around_the_object_does_not_matter(wrap, rollout):
    text = wrap.replace("{}", edit("D", 1, ["x"], "20")).replace("{{", "{")
    assert parse_edit(Reply(text), rollout()).case == "D"


def test_numbers_are_answers(rollout):
    text = '{"case": "D", "keep_steps": 1, "new_steps": ["x"], "answer": 20}'
    assert parse_edit(Reply(text), rollout()).answer == "20"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\frac{1}{2}", r"\frac{1}{2}"),
        (r"\\frac{1}{2}", r"\frac{1}{2}"),
        (r"2 \times 3 \neq \sqrt{5} \right)", r"2 \times 3 \neq \sqrt{5} \right)"),
        (r"\\sqrt{5} \(x\) \boxed{4}", r"\sqrt{5} \(x\) \boxed{4}"),
        (r"one\nu = 2", "one\nu = 2"),
        (r"\unit", r"\unit"),
    ],
)
def test_latex_with_single_backslashes_is_mended(written, meant, rollout):
    text = '{"case": "D", "keep_steps": 1, "new_steps": ["WRITTEN"], "answer": "20"}'.replace("WRITTEN", written)
    assert parse_edit(Reply(text), rollout()).steps[1].text == meant


@pytest.mark.parametrize(
    ("new_step", "steps"),
    [
        ("<step_2>5 * 4 = 20</step_2>", ["5 * 4 = 20"]),
        ("<step_1>5 * 4 = 20</step_1>", ["5 * 4 = 20"]),
        ("<step_2>5 * 4 = 20", ["5 * 4 = 20"]),
        ("5 * 4 = 20</step_2>", ["5 * 4 = 20"]),
        ("<step_2>times 4</step_2>\n<step_3>5 * 4 = 20</step_3>", ["times 4", "5 * 4 = 20"]),
        ("5 < 6 and <b>7</b>", ["5 < 6 and <b>7</b>"]),
    ],
)
def test_tags_around_a_new_step_are_no_part_of_it(new_step, steps, rollout):
    critique = parse(rollout(), "D", 1, [new_step], "<answer>20</answer>")
    assert [step.text for step in critique.steps] == ["2 + 3 = 5", *steps] and critique.answer == "20"


@pytest.mark.parametrize(
    ("new_step", "answer"),
    [
        ("so <step_2>5 * 4 = 20</step_2>", "20"),
        ("<step_2>5 * 4 = 20</step_2><answer>20</answer>", "20"),
        ("a</step_2>b", "20"),
        ("5 * 4 = 20", "<answer>20</answer> or <answer>21</answer>"),
    ],
)
def test_tags_that_do_more_than_enclose_are_rejected(new_step, answer, rollout):
    with pytest.raises(Rejected, match="tags"):
        parse(rollout(), "D", 1, [new_step], answer)


def test_of_several_objects_the_last_complete_one_counts(rollout):
    draft, final = edit("C", 0, ["I am not sure"], "20"), edit("D", 1, ["$5 \\times 4$ = {20}"], "20")
    for text in (f"Draft: {draft} Final: {final}", f"{draft}\n{final} {{}}", f'{draft}{final}{{"case": "A", "ke'):
        assert parse_edit(Reply(text), rollout()).case == "D"
    single = final.replace("\\\\times", "\\sqrt")  # the final one is JSON only once it is repaired
    assert parse_edit(Reply(f"{draft} {single}"), rollout()).steps[1].text == "$5 \\sqrt 4$ = {20}"
    braces = "{x} " * 400 + '{"note": 1} '
    assert parse_edit(Reply(f"{braces}{final}"), rollout()).case == "D"


def test_half_a_surrogate_pair_in_a_reply_is_replaced(rollout):
    text = '{"case": "D", "keep_steps": 1, "new_steps": ["So \\ud83d it is 20."], "answer": "20"}'
    assert parse_edit(Reply(text), rollout()).steps[1].text == "So \ufffd it is 20."


def test_replies_of_the_field(shared_data, rollout):
    """Raw replies of critics and the step or the text that must come out."""
    path = shared_data / "field_reports" / "critic_replies.jsonl"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        critique = parse_edit(Reply(row["reply"]), rollout(WRONG))
        got = critique.steps[1].text if "expect_step" in row else critique.text
        assert got == row.get("expect_step", row.get("expect_text")), row["id"]


def test_a_reply_is_rendered_on_one_line_without_spaces_or_escapes(rollout):
    critique = parse(rollout(WRONG), "D", 1, ["5 × 4 = 20", "so 20 €"], "20")
    reply = render_edit(rollout(WRONG), critique)
    assert reply == '{"case":"D","keep_steps":1,"new_steps":["5 × 4 = 20","so 20 €"],"answer":"20"}'
    assert list(json.loads(reply)) == SCHEMA["required"]


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (RIGHT, ("A", 2, [], "20")),
        (RIGHT, ("B", 1, ["now times 4", "5 * 4 = 20"], "20")),
        (WRONG, ("D", 1, [r'"$\frac{1}{2}$"', "two\nlines"], "20")),
        (WRONG, ("D", 2, [], "20")),
        ("", ("C", 0, ["2 + 3 = 5"], "20")),
    ],
)
def test_what_is_rendered_is_parsed_back(text, reply, rollout):
    critique = parse(rollout(text), *reply)
    assert parse_edit(Reply(render_edit(rollout(text), critique)), rollout(text)) == critique


def test_a_cut_off_reply_is_rejected(rollout):
    with pytest.raises(Rejected, match="cut_off"):
        parse_edit(Reply(edit("D", 1, ["x"], "20"), finish_reason="length"), rollout())


def test_the_schema_is_what_the_parser_expects():
    assert set(SCHEMA["required"]) == set(json.loads(edit("A", 0, [], "")))
    assert response_format("none") is None
    assert response_format("json_object") == {"type": "json_object"}
