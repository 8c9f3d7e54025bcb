import pytest

from stepalign.core.errors import ConfigError
from stepalign.grading.answers import MAX_ANSWER_CHARS, extract_answer, unbox


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>18</answer>", "18"),
        ("< ANSWER > 18\n</answer>", "18"),
        ("<answer>18", "18"),
        (r"<answer>The result is \boxed{18}.</answer>", "18"),
        (r"so \boxed{18}.", "18"),
        (r"\boxed {\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{1\\}", r"1\\"),
        (r"\boxed{2 = \boxed{3}}", "3"),
        (r"so \fbox{18}.", "18"),
        (r"\boxed{18}, not \fbox{17} or \boxed 16", "18"),
        (r"so $\boxed 18$.", "18"),
        (r"so \boxed 17, no, \boxed\frac{1}{2}.", r"\frac{1}{2}"),
        (r"use \boxed to mark it", None),
        (r"cut off in \boxed{18", None),
        ("16 + 2 = 18\n#### 18", "18"),
        ("#### $1,000", "$1,000"),
        ("#### **18**", "18"),
        ("so\nA: 18", "18"),
        ("A: -9.9 billion \n", "-9.9 billion"),
        ("A: <<16+2=18>>18", "18"),
        ("<answer>16 + 2 = <<16+2=18>>18</answer>", "16 + 2 = 18"),
    ],
)
def test_each_pattern(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{3}. No, wait: \boxed{4}", "4"),
        (r"\boxed{3}, \boxed{4}", "4"),
        (r"<answer>3</answer> or \boxed{4}", "4"),
        (r"\boxed{4} or <answer>3</answer>", "3"),
        ("A: 3\n#### 4", "4"),
        ("#### 4\nA: 3", "3"),
        ("<answer>3</answer><answer>4</answer>", "4"),
        (r"\boxed{4}. I put it in \boxed{}", "4"),
        (r"\boxed{4} <answer> </answer>", "4"),
        (r"\boxed{4} and then \boxed{5 is cut off", "4"),
        ("\\boxed{4}\n#### Checking the result\n#### 2. Check\n#### 3: Check\nA: it is right", "4"),
    ],
)
def test_the_last_answer_counts(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>7</answer> I used the <answer> tag.", "7"),
        ("<answer>7</answer>\nAs asked, I wrapped it in <answer>...</answer>.", "7"),
        ("<answer>7</answer>\n(The `<answer>` and `</answer>` tags hold it.)", "7"),
        ("<answer>7</answer>\nNote: it stands inside <answer></answer> tags.", "7"),
        ("<answer>7</answer>\nI followed the format, ending with <answer>.", "7"),
        ("<answer>7</answer>\nThe number in <answer> is 7, not 8.", "7"),
        ("<answer>7</answer>\nI ended with </answer>.", "7"),
        ("The answer goes between <answer> and </answer>.\n<answer>7</answer>", "7"),
        (r"\boxed{7} I did not need the <answer> tag.", "7"),
        ("<answer>6</answer>\nWait. <answer>7", "7"),
        ("It is <answer>east</answer>", "east"),
        ("\\boxed{7}\n#### 3 things to note", "7"),
        ("#### 7 apples", "7 apples"),
        ("#### 7 apples in the bag", "7 apples in the bag"),
        ("<think>x</think>I closed the <think> block. \\boxed{7}", "7"),
        ("<think>x</think>\\boxed{7} after `</think>`", "7"),
        ("I did not use the <answer> tag as asked.", None),
    ],
)
def test_talk_about_tags_is_no_answer(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"maybe \boxed{6}, let me see", None),
        (r"maybe \boxed{6}</think>", None),
        (r"maybe \boxed{6}</think> so \boxed{7}", "7"),
        (r"<think>maybe \boxed{6}</think> so \boxed{7}", "7"),
    ],
)
def test_a_prompt_that_ended_inside_thinking(text, answer):
    assert extract_answer(text, thinking_open=True) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18",
        "The answer is eighteen.",
        r"<think>\boxed{18}</think>",
        r"<think>\boxed{18}",
        r"\boxed{",
        "A: none",
        "B: 18",
    ],
)
def test_no_answer(text):
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 60", "60"),
        ("**Answer:** 60", "60"),
        ("**Final answer: 60**", "60"),
        ("Final Answer: $\\frac{1}{2}$.", "$\\frac{1}{2}$"),
        ("So the answer is 60.", "60"),
        ("The answer is **60**. I hope this helps.", "60"),
        ("The answer is 60 eggs, because 5 * 12 = 60.", "60 eggs"),
        ("The answer is 3.14, and not 3.", "3.14, and not 3"),
        ("the answer is 1,000", "1,000"),
        ("The answer is 1, 2, and 3.", "1, 2, and 3"),
        ("The answer is 5. No, the answer is 6.", "6"),
        ("Answer: The answer is 60", "60"),
    ],
)
def test_a_sentence_that_states_the_answer(text, answer):
    assert extract_answer(text) == answer
    assert extract_answer(text, ["answer_tag", "boxed", "hash", "a_colon"]) is None


@pytest.mark.parametrize("text", ["The answer is not 60.", "the answer is ...", "Answer: see above", "the answers: 1"])
def test_a_sentence_that_states_none(text):
    assert extract_answer(text) is None


def test_a_sentence_counts_only_where_nothing_else_is_found():
    assert extract_answer(r"\boxed{4}. So the answer is 5.") == "4"
    assert extract_answer("A: 4\nAnswer: 5", ["answer_is"]) == "5"


def test_an_own_pattern_is_a_regular_expression_with_a_group():
    text = "Result: 3\nRESULT = x\nResult: 7 "
    assert extract_answer(text, [r"^Result: (.+)$"]) == "7"
    assert extract_answer(text, [r"(RESULT|result) = (?P<answer>\w)"]) == "x"
    assert extract_answer(text + r"\boxed{9}", ["boxed", "Result: (.+)"]) == "9"
    with pytest.raises(ConfigError, match=r"'Result: \(' is no regular expression: missing \)"):
        extract_answer(text, ["Result: ("])
    with pytest.raises(ConfigError, match="has no group; expected one around the answer"):
        extract_answer(text, ["Result: (?:.+)"])
    with pytest.raises(ConfigError, match=r"unknown answer pattern 'Result: 7'.*has a group"):
        extract_answer(text, ["Result: 7"])


def test_thinking_is_no_answer():
    assert extract_answer(r"<think>\boxed{3}</think>\boxed{4}<think>\boxed{5}") == "4"


def test_what_is_too_long_is_no_answer():
    assert extract_answer(f"<answer>{'1' * MAX_ANSWER_CHARS}</answer>") == "1" * MAX_ANSWER_CHARS
    assert extract_answer(f"<answer>{'1' * (MAX_ANSWER_CHARS + 1)}</answer>") is None


def test_patterns_can_be_chosen():
    text = "<answer>1</answer> \\boxed{2}\n#### 3\nA: 4"
    assert [extract_answer(text, [name]) for name in ("answer_tag", "boxed", "hash", "a_colon")] == ["1", "2", "3", "4"]
    assert extract_answer(text, ["a_colon", "hash"]) == "4"
    with pytest.raises(ConfigError, match="'box'; perhaps you meant 'boxed'"):
        extract_answer(text, ["box"])
    with pytest.raises(ConfigError, match="no answer patterns"):
        extract_answer(text, [])


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    [
        "<answer>",
        r"\boxed{",
        "{",
        "}",
        "\\",
        "<<",
        "<think>",
        "</think>",
        "\n####",
        "#### ",
        "A: ",
        " ",
        "<",
        "<\t",
        "answer ",
        "answer is *",
    ],
)
def test_the_time_is_linear_in_the_text(piece):
    # quadratic, any of these would take an hour
    assert extract_answer(piece * 300_000 + "\n\\boxed{1}\nA: 2") in ("2", None)


def test_unbox():
    assert [unbox(text) for text in (" 18 ", r"\boxed{18}", r"\boxed{}")] == ["18", "18", r"\boxed{}"]
