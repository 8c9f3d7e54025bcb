import time
from email.utils import formatdate

import pytest

from stepalign.clients.completions import LONGEST_BACKOFF_S, backoff_s, is_transient, retry_after_s


def test_waits_double_up_to_a_limit():
    for i in range(5):
        assert 0.75 * 0.5 * 2**i <= backoff_s(i) <= 0.5 * 2**i
    assert backoff_s(1000) <= LONGEST_BACKOFF_S


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, None), ("3", 3.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("nan", None), ("inf", None), ("", None)],
)
def test_retry_after_as_a_number(header, seconds):
    assert retry_after_s(header) == seconds


def test_retry_after_as_a_date():
    wait = retry_after_s(formatdate(time.time() + 100, usegmt=True))
    assert wait is not None and 97 < wait <= 100
    assert retry_after_s(formatdate(0, usegmt=True)) == 0.0


def test_which_statuses_are_transient():
    assert [s for s in (200, 301, 400, 401, 404, 408, 409, 422, 425, 429, 500, 502, 503, 529) if is_transient(s)] == [
        408, 409, 425, 429, 500, 502, 503, 529,
    ]  # fmt: skip
