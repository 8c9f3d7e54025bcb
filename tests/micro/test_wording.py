import random

from stepalign.micro.arithmetic import columns
from stepalign.micro.wording import OTHER_AUTHOR, SOLVER, Style, parse_step, word_step


def test_a_step_of_either_author_reads_back():
    for seed in range(300):
        rng = random.Random(seed)
        style = Style(rng, foreign=rng.choice((0.0, 0.5, 1.0)))
        work = columns(58, "*", 7)
        read = parse_step(word_step("*", 7, work, 406, style))
        assert read is not None
        assert (read.op, read.operand, list(read.work or ()), read.value) == ("*", 7, work, 406)


def test_a_condensed_step_has_no_work():
    read = parse_step(word_step("+", 38, None, 85, Style(random.Random(0))))
    assert read is not None and read.work is None and read.value == 85


def test_the_two_authors_share_no_word():
    for slot in SOLVER:
        assert not set(SOLVER[slot]) & set(OTHER_AUTHOR[slot])


def test_the_dial_chooses_the_author():
    texts = {f: [word_step("+", 38, None, 85, Style(random.Random(s), f)) for s in range(200)] for f in (0.0, 1.0)}
    assert all(text.split()[0] in SOLVER["lead"] for text in texts[0.0])
    assert all(text.split()[0] in OTHER_AUTHOR["lead"] for text in texts[1.0])


def test_what_is_not_of_this_world_does_not_read():
    for text in ("", "Try 12: no. Try 13: no.", "Now add 38: 7+8=15 carry 1; 4+3", "Now add 38: 7+8=x. So 85."):
        assert parse_step(text) is None
