import time

import pytest

from stepalign.core.errors import DataError
from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.trace import parse_trace, render_steps
from stepalign.feedback import alignment as module
from stepalign.feedback.alignment import RUN, StepShare, alignment
from stepalign.micro import exact_critique

ONE = "Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85."  # 43 characters
TWO = "Next times 6: 5*6=30 carry 3; 8*6+3=51. So 510."  # 47
WRONG = "Then minus 19: 0-9=1; 1-1=0; 5=5. So 501."
RIGHT = "Then minus 19: 10-9=1 keep 1; 11-1-1=9; 4=4. So 491."
TRACE = parse_trace(render_steps([ONE, TWO, WRONG], "501"))


def shares(measured):
    return [part.share for part in measured.steps]


def test_correct_steps_copied_and_the_wrong_one_rewritten():
    measured = alignment(TRACE, render_steps([ONE, TWO, RIGHT], "491"), 3)
    assert measured.steps == (StepShare(1, 1.0, 43), StepShare(2, 1.0, 47))
    assert measured.overall == 1.0 and measured.quotes_wrong_step is False
    assert measured.to_json() == {
        "overall": 1.0,
        "steps": [{"step": 1, "share": 1.0, "num_characters": 43}, {"step": 2, "share": 1.0, "num_characters": 47}],
        "quotes_wrong_step": False,
    }


def test_the_whole_attempt_quoted_is_a_warning():
    measured = alignment(TRACE, "You wrote:\n" + TRACE.render() + "\nStep 3 is wrong. It should be:\n" + RIGHT, 3)
    assert measured.overall == 1.0 and measured.quotes_wrong_step is True


def test_other_words_and_no_words():
    reference = "Observe augment by 38: 7+8=15 transfer 1 | 4+3+1=8. Whence 85."
    assert alignment(TRACE, reference, 3).overall == 0.0
    assert alignment(TRACE, "Steps 1 and 2 are correct. Step 3 is not.", 3).overall == 0.0
    assert alignment(TRACE, "", 3).overall == 0.0


def test_the_overall_share_is_weighted_by_characters():
    measured = alignment(TRACE, TWO, 3)
    assert shares(measured) == [0.0, 1.0]
    assert measured.overall == pytest.approx(47 / 90)


def test_part_of_a_step_counts_in_runs():
    begins = "Now add 38: 7+8=15 carry"  # 24 characters, then other words
    measured = alignment(parse_trace(render_steps([ONE])), begins + " one and go on in some other way")
    assert shares(measured) == [pytest.approx(25 / 43)]  # the space after it as well
    assert shares(alignment(parse_trace(render_steps([ONE])), ONE[: RUN - 1])) == [0.0]
    assert shares(alignment(parse_trace(render_steps([ONE])), ONE[:RUN])) == [pytest.approx(RUN / 43)]


def test_only_what_is_in_order_counts():
    measured = alignment(TRACE, f"{TWO}\n{ONE}", 3)
    assert sorted(shares(measured)) == [0.0, 1.0]
    assert measured.overall == pytest.approx(47 / 90), "the longer of the two is kept"


def test_without_a_wrong_step_all_steps_are_measured_and_nothing_warns():
    measured = alignment(TRACE, TRACE.render())
    assert shares(measured) == [1.0, 1.0, 1.0] and not measured.quotes_wrong_step
    assert len(alignment(TRACE, ONE).steps) == 3


def test_a_wrong_first_step_leaves_nothing_to_reproduce():
    measured = alignment(TRACE, TRACE.render(), 1)
    assert measured.overall is None and measured.steps == () and measured.quotes_wrong_step


@pytest.mark.parametrize(
    "context",
    [
        f"<critique><s n1>{ONE}</s></critique>",
        f"<Fix>\n  {ONE}\n</Fix> <think>{TWO}</think>",
        f"Step 1: {ONE}\nStep 2: {TWO}",
        f"1. {ONE}\n2) {TWO}",
        f"- {ONE}\n- {TWO}",
        f"{ONE} {TWO}",
        f"That is right: “{ONE}” and “{TWO}”",
        ONE.replace(" ", "\n ") + "\n\n\t" + TWO.replace(" ", "  "),
        f"**Step 1** {ONE}\n**Step 2** {TWO}",
    ],
)
def test_tags_labels_and_white_space_do_not_matter(context):
    assert alignment(TRACE, context, 3).steps[0].share == 1.0


def test_a_traces_own_lines_are_no_obstacle():
    trace = parse_trace(f"<step_1>{ONE}\n{TWO}</step_1>")
    assert alignment(trace, f"{ONE} {TWO}").overall == 1.0


SHORT = parse_trace(render_steps(["x = 2", "y = 3"]))


@pytest.mark.parametrize(
    "context",
    [
        "x = 2\ny = 3",
        "<a>x = 2</a><a>y = 3</a>",
        'ok: "x = 2", ok: "y = 3"',
        "Step 1: x = 2\nstep 2. y = 3",
        "- x = 2\n- y = 3",
    ],
)
def test_a_short_step_counts_where_it_stands_alone(context):
    assert shares(alignment(SHORT, context)) == [1.0, 1.0]


@pytest.mark.parametrize("context", ["with x = 2 we get y = 3, since", "x = 25\ny = 34", "max = 2\n(y = 3)"])
def test_a_short_step_inside_other_text_does_not(context):
    assert alignment(SHORT, context).overall == 0.0


def test_short_steps_keep_their_order():
    assert shares(alignment(SHORT, "y = 3\nx = 2")) == [1.0, 0.0]
    assert shares(alignment(parse_trace(render_steps(["x = 2", "x = 2"])), "x = 2")) == [1.0, 0.0]
    between = parse_trace(render_steps([ONE, "x = 2", TWO]))
    assert shares(alignment(between, f"{ONE}\nx = 2\n{TWO}")) == [1.0, 1.0, 1.0]
    assert shares(alignment(between, f"x = 2\n{ONE}\n{TWO}\nx = 2")) == [1.0, 0.0, 1.0]


def test_short_steps_in_a_row_make_a_run():
    trace = parse_trace(render_steps(["a = 1", "b = 2", "c = 3", "d = 4"]))
    assert alignment(trace, "as it is: a = 1 b = 2 c = 3 d = 4 and so on").overall == 1.0


def test_a_longer_text_that_begins_like_the_wrong_step_does_not_quote_it():
    trace = parse_trace(render_steps(["the total is therefore equal to 12"]))
    assert alignment(trace, "the total is therefore equal to 12 apples", 1).quotes_wrong_step
    assert alignment(trace, "so the total is therefore equal to 12.", 1).quotes_wrong_step
    assert not alignment(trace, "the total is therefore equal to 120", 1).quotes_wrong_step
    assert not alignment(trace, "the total is therefore equal to 12.5", 1).quotes_wrong_step
    assert not alignment(trace, "breathe total is therefore equal to 12"[3:], 1).quotes_wrong_step
    short = parse_trace(render_steps(["x = 2"]))
    assert not alignment(short, "we know x = 2 is wrong", 1).quotes_wrong_step
    assert alignment(short, "you wrote 'x = 2'", 1).quotes_wrong_step


def test_the_first_wrong_step_must_exist():
    for number in (0, 4, -1):
        with pytest.raises(DataError, match="3 steps"):
            alignment(TRACE, ONE, number)


def test_odd_texts():
    assert alignment(parse_trace(""), ONE).overall is None
    assert shares(alignment(parse_trace("<step_1></step_1><step_2> \n</step_2>"), ONE)) == [1.0, 1.0]
    assert alignment(parse_trace("<step_1>\x00\ud800 and so on for long</step_1>"), "\x00\ud800 and so on for long")
    chinese = "所以总数是四十七加三十八等于八十五个苹果"
    assert alignment(parse_trace(f"<step_1>{chinese}</step_1>"), f"正确：{chinese}。").overall == 1.0


def test_the_exact_critic_is_aligned_and_the_reference_is_not():
    problem = Problem("p", "Start with 47. Add 38. Times 6. Minus 19.", "491")
    rollout = Rollout(problem, 0, TRACE.render())
    critique = exact_critique(rollout)
    assert critique.first_wrong_step == 3
    assert alignment(rollout.trace, critique.text, 3).overall == 1.0


def loop(length):
    return ("the answer is the same again and " * (length // 33 + 1))[:length]


def test_texts_of_2000_tokens_take_milliseconds():
    text = " ".join(f"Now add {i}: {i}+8={i + 8}, so we get {i + 8}." for i in range(240))
    other = " ".join(f"Observe augment by {i}: {i}+8={i + 8} | whence {i + 8}." for i in range(240))
    for response, context in ((text, text), (text, other), (text, text + other + text), (loop(8000), loop(9000)[5:])):
        trace = parse_trace(response)
        times = []
        for _ in range(5):
            start = time.process_time()
            alignment(trace, context)
            times.append(time.process_time() - start)
        assert min(times) < 0.05


def test_long_texts_are_compared_by_their_rare_runs(monkeypatch):
    steps = [f"Now add {i}: {i}+8={i + 8}, so we get {i + 8}." for i in range(60)]
    trace = parse_trace(render_steps(steps))
    context = render_steps(["Something else at first.", *steps[:30], "A remark between the steps.", *steps[30:50]])
    full = alignment(trace, context)
    assert full.overall == pytest.approx(50 / 60, abs=0.02)
    monkeypatch.setattr(module, "CELLS", 0)
    assert alignment(trace, context).overall == pytest.approx(full.overall, abs=0.01)
    assert alignment(trace, render_steps(steps[::-1])).overall < 0.1
    assert alignment(trace, trace.render()).overall == 1.0


def test_a_million_characters():
    start = time.process_time()
    assert alignment(parse_trace(loop(1_000_000)), loop(1_000_000)).overall == 1.0
    assert time.process_time() - start < 20
