import pytest

from stepalign.signal.verdict import expected_best, judge, rank, summarize_format


def part(**changes):
    """One rollout's part of a row: a context that helps, leaves correct steps alone and hits the wrong one."""
    measured = {
        "status": "ok",
        "num_context_tokens": 100,
        "has_answer": True,
        "teacher_is_correct": True,
        "teacher_num_tokens": 50,
        "aim": 0.9,
        "mean_correct": 0.1,
        "quotes_wrong_step": False,
        **changes,
    }
    located = dict.fromkeys(("auroc", "negative_mass_share", "mean_wrong", "pushed_down_rate", "first_token"), 0.0)
    located |= {key: measured.pop(key) for key in ("aim", "mean_correct")}
    quotes = measured.pop("quotes_wrong_step")
    return {**measured, "localization": located, "alignment": {"overall": 1.0, "quotes_wrong_step": quotes}}


def rows_of(num_problems=20, **parts):
    """Two rollouts a problem, both wrong at step 2; `parts[name](i)` is the format's part of rollout i."""
    return [
        {
            "problem_id": f"p{i // 2}",
            "is_correct": False,
            "num_tokens": 100,
            "first_wrong_step": 2,
            "formats": {name: make(i) for name, make in parts.items()},
        }
        for i in range(2 * num_problems)
    ]


def verdict(make):
    return judge(summarize_format("f", rows_of(f=make)))


def test_a_format_that_helps_and_leaves_correct_steps_alone_is_a_go():
    assert verdict(lambda i: part()).verdict == "go"


def test_what_does_not_help_is_a_no_go():
    assert verdict(lambda i: part(teacher_is_correct=False)).verdict == "no-go"
    one_in_forty = verdict(lambda i: part(teacher_is_correct=i == 0))  # the interval reaches 0
    assert one_in_forty.verdict == "no-go" and "does not help" in one_in_forty.reasons[0]


@pytest.mark.parametrize("status", ["none", "too_long"])
def test_too_many_rollouts_without_a_context_are_a_no_go(status):
    assert verdict(lambda i: part(status=status if i % 2 else "ok")).verdict == "go"  # half: just enough
    most = verdict(lambda i: part(status="ok" if i % 3 == 0 else status))
    assert most.verdict == "no-go" and "would carry no loss" in most.reasons[0]


def test_contexts_that_quote_the_wrong_step_are_a_no_go():
    assert verdict(lambda i: part(quotes_wrong_step=i % 10 == 0)).verdict == "go"  # one in ten
    assert verdict(lambda i: part(quotes_wrong_step=i % 5 == 0)).verdict == "no-go"


def test_correct_steps_pushed_down_ask_for_caution_only_when_that_is_clear():
    assert verdict(lambda i: part(mean_correct=-0.2)).verdict == "caution"
    assert verdict(lambda i: part(mean_correct=-1.0 if i % 4 < 2 else 0.9)).verdict == "go"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "finish_reason",
            "length",
            "100 % of the responses were cut off (student 100 %, teacher 100 %): raise max_comp",
        ),
        ("grade", "unparseable", "100 % of the answers were not found (student 100 %, teacher 100 %): see how"),
    ],
)
def test_responses_without_an_answer_say_nothing_of_the_context(key, value, said):
    def rows(share, **changes):
        made = rows_of(f=lambda i: {**part(**changes), f"teacher_{key}": value if i < 40 * share else "other"})
        return [{**row, key: value if i < 40 * share else "other"} for i, row in enumerate(made)]

    summary = summarize_format("f", rows(1.0, teacher_is_correct=False))
    verdict, (reason,) = judge(summary)
    assert verdict == "cannot tell" and reason.startswith(said)
    assert expected_best({"f": summary}) is None
    half = judge(summarize_format("f", rows(0.5, teacher_is_correct=False)))
    assert half.verdict == "no-go" and "does not help" in half.reasons[0]
    assert judge(summarize_format("f", rows(1.0))).verdict == "go"  # it helps all the same
    quoted = judge(summarize_format("f", rows(1.0, teacher_is_correct=False, quotes_wrong_step=True)))
    assert quoted.verdict == "no-go" and len(quoted.reasons) == 2


def test_every_reason_against_is_told():
    reasons = verdict(lambda i: part(teacher_is_correct=False, quotes_wrong_step=True)).reasons
    assert len(reasons) == 2


def test_without_a_critic_nothing_is_known_of_correct_steps():
    unknown = dict.fromkeys(part()["localization"])
    rows = rows_of(f=lambda i: {**part(), "localization": unknown, "alignment": None})
    for row in rows:
        row["first_wrong_step"] = None
    summary = summarize_format("f", rows)
    assert summary["aim"] is None and summary["copied_share"] is None and summary["quotes_wrong_step_rate"] is None
    assert judge(summary).verdict == "go" and "not known" in judge(summary).reasons[1]


def test_nothing_usable_is_a_no_go():
    nothing = {"status": "none", "teacher_is_correct": None}
    summary = summarize_format("f", rows_of(f=lambda i: nothing))
    assert summary["solves"] is None and summary["num_context_tokens"] is None
    assert summary["mean_length"] == {"student": 100, "teacher": None}
    assert judge(summary).verdict == "no-go"


def test_the_teacher_is_held_against_plain_resampling_on_the_students_failures():
    # p0: two of four right, the teacher solves one of the two failures; p1: none right, it solves all four
    right = [True, True, False, False, False, False, False, False]
    solved = [True, True, True, False, True, True, True, True]
    rows = [
        {
            "problem_id": f"p{i // 4}",
            "is_correct": right[i],
            "num_tokens": 100,
            "first_wrong_step": 2,
            "formats": {"f": part(teacher_is_correct=solved[i])},
        }
        for i in range(8)
    ]
    failures = summarize_format("f", rows)["failures"]
    # of p0's failures another rollout is right in 2 of 3 cases, of p1's in none
    assert failures["num_rollouts"] == 6
    assert failures["teacher"] == pytest.approx((1 / 2 + 1) / 2)
    assert failures["resampling"] == pytest.approx((2 / 3 + 0) / 2)
    assert failures["gap"] == pytest.approx(failures["teacher"] - failures["resampling"])
    alone = [row for i, row in enumerate(rows) if i % 4 == 2]  # one rollout a problem: nothing was sampled again
    assert summarize_format("f", alone)["failures"] is None


def test_a_timeout_is_no_wrong_answer():
    rows = rows_of(f=lambda i: part(teacher_is_correct=None if i % 2 else True))
    for row in rows[::2]:
        row["is_correct"] = None
    solves = summarize_format("f", rows)["solves"]
    assert solves["teacher"] == 1.0 and solves["student"] == 0.0
    assert summarize_format("f", rows)["mean_length"] == {"student": 100, "teacher": 50}
    assert summarize_format("f", rows_of(f=lambda i: part(teacher_is_correct=None)))["solves"] is None


def test_means_are_over_problems():
    rows = rows_of(2, f=lambda i: part(mean_correct=(1.0, 3.0, 5.0, None)[i]))
    entry = summarize_format("f", rows)["mean_correct"]
    assert entry["mean"] == pytest.approx((2.0 + 5.0) / 2) and entry["median"] == 3.0 and entry["num_rollouts"] == 3


def test_the_rank_goes_by_verdict_then_aim_then_correct_steps():
    rows = rows_of(
        worst=lambda i: part(teacher_is_correct=False, aim=1.0, mean_correct=2.0),
        pulls=lambda i: part(mean_correct=-0.5, aim=1.0),
        aims=lambda i: part(aim=0.8, mean_correct=0.0),
        gentle=lambda i: part(aim=0.7, mean_correct=0.2),
        gentler=lambda i: part(aim=0.7004, mean_correct=0.3),
    )
    summaries = {name: summarize_format(name, rows) for name in rows[0]["formats"]}
    assert rank(summaries) == ["aims", "gentler", "gentle", "pulls", "worst"]
    assert expected_best(summaries) == "aims"
    assert expected_best({"worst": summaries["worst"]}) is None
