import pytest

from stepalign.core.trace import parse_trace, render_steps, strip_thinking

TAGGED = "<step_1>2 + 2 = 4</step_1>\n<step_2>4 * 3 = 12</step_2>\n<answer>12</answer>"


def step_texts(text: str) -> list[str]:
    return [step.text for step in parse_trace(text).steps]


def test_a_well_formed_trace_is_split_with_exact_spans():
    trace = parse_trace(TAGGED)
    assert [step.text for step in trace.steps] == ["2 + 2 = 4", "4 * 3 = 12"]
    assert [TAGGED[step.start : step.end] for step in trace.steps] == ["2 + 2 = 4", "4 * 3 = 12"]
    assert trace.answer == "12"
    assert trace.answer_start is not None and TAGGED[trace.answer_start : trace.answer_end] == "12"
    assert trace.layout == "tags"


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("<step_1>a<step_2>b</step_2>", ["a", "b"], None),  # a missing close tag: the next step ends it
        ("<step_1>a<answer>4", ["a"], "4"),  # both unclosed: the answer ends the step, the text ends the answer
        ("<step_1>a</step_1><step_5>b</step_5>", ["a", "b"], None),  # a gap in the numbering
        ("<step_1>a</step_1><step_1>b</step_1>", ["a", "b"], None),  # a repeated number
        ("<step_1>a<step_2>b</step_2>c</step_1>", ["a", "b"], None),  # nested: no nesting, the rest is text between
        ("<step_1>a</step_2>", ["a"], None),  # a close tag of another number closes
        ("<answer>1</answer><step_1>a</step_1><answer> 2 </answer>", ["a"], "2"),  # the last answer counts
        ("intro <step_1>a</step_1> between <step_2>b</step_2> end", ["a", "b"], None),
        ("<STEP_1>a</Step_1><Answer>3</ANSWER>", ["a"], "3"),  # case of tags does not matter
        ("<step_1></step_1>", [""], None),
        ("<step_1>cut off in the mid", ["cut off in the mid"], None),
        ("</step_1> stray <step_2>b</step_2>", ["b"], None),
    ],
)
def test_malformed_tags_have_a_defined_result(text, steps, answer):
    trace = parse_trace(text)
    assert ([step.text for step in trace.steps], trace.answer) == (steps, answer)
    assert trace.layout == "tags"


def test_numbers_are_kept_as_written_and_indices_count():
    steps = parse_trace("<step_3>a</step_3><step_3>b</step_3>").steps
    assert [(step.index, step.number) for step in steps] == [(1, 3), (2, 3)]


def test_an_unclosed_step_says_so():
    assert [step.closed for step in parse_trace("<step_1>a</step_1><step_2>b").steps] == [True, False]


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        ("<think><step_1>no</step_1></think><step_1>yes</step_1>", ["yes"], None),
        ("in the template</think><step_1>a</step_1><answer>1</answer>", ["a"], "1"),  # opened in the prompt
        ("<step_1>a</step_1><think><answer>9</answer>", ["a"], None),  # unclosed: all that follows is thinking
        ("<think>never closed <step_1>x</step_1>", [], None),
    ],
)
def test_thinking_is_not_part_of_the_steps(text, steps, answer):
    trace = parse_trace(text)
    assert ([step.text for step in trace.steps], trace.answer) == (steps, answer)


def test_strip_thinking_keeps_the_rest():
    assert strip_thinking("<think>a</think>b") == "b"
    assert strip_thinking("b<think>a") == "b"


@pytest.mark.parametrize(
    ("text", "steps", "layout"),
    [
        ("first\n\nsecond line\nof it\n \n third ", ["first", "second line\nof it", "third"], "paragraphs"),
        ("one\n  two\n", ["one", "two"], "lines"),
        ("only", ["only"], "lines"),
        ("work\nmore <answer>4</answer>", ["work", "more"], "lines"),
        ("", [], "empty"),
        (" \n\n ", [], "empty"),
    ],
)
def test_without_tags_paragraphs_then_lines_are_the_steps(text, steps, layout):
    trace = parse_trace(text)
    assert [step.text for step in trace.steps] == steps
    assert trace.layout == layout
    assert [text[step.start : step.end] for step in trace.steps] == steps


@pytest.mark.parametrize(
    "text",
    [
        TAGGED,
        "<step_1>a<step_2>b</step_2>c</step_1> <answer>1</answer> tail",
        "<think>x</think> pre <step_9>ü😀</step_9>",
        "a\n\nb\n",
        "",
        "</step_1><answer>",
        "< step_1 >spaced</ step_1 >",
        "<step_99999999999999999999>x",
    ],
)
def test_rendering_gives_back_the_identical_text(text):
    assert parse_trace(text).render() == text


def test_a_long_run_of_white_space_after_a_bracket_is_no_trap():
    text = "<" + " " * 200_000 + "step_x" + "< / " * 50_000
    assert parse_trace(text).render() == text  # linear; a backtracking pattern takes minutes here


def test_render_steps_writes_canonical_tags():
    assert render_steps(["a", "b"], "4") == "<step_1>a</step_1>\n<step_2>b</step_2>\n<answer>4</answer>"
    assert parse_trace(render_steps(["a", "b"], "4")).answer == "4"
    assert step_texts(render_steps(["a", "b"])) == ["a", "b"]


def test_a_thinking_tag_that_a_sentence_speaks_of_opens_and_closes_nothing():
    assert strip_thinking("<think>x</think>I used the <think> tag. 4") == "I used the <think> tag. 4"
    assert strip_thinking("<think>x</think>4, after `</think>` as asked") == "4, after `</think>` as asked"
    assert strip_thinking("<think>x</think>4<think>5") == "4"


def test_a_prompt_that_ended_inside_thinking():
    assert strip_thinking("x", thinking_open=True) == ""
    assert strip_thinking("x</think>4", thinking_open=True) == "4"
