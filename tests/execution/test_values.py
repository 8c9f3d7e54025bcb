import datetime as dt
import json
import math
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pytest

from stepalign.execution.values import read_value, write_value

Point = namedtuple("Point", "x y")


class Color(IntEnum):
    RED = 1


def passed_on(value, unknown=None):
    return read_value(json.loads(json.dumps(write_value(value, unknown or refuse))), {"object": lambda wire: wire})


def refuse(value):
    raise AssertionError(f"{value!r} is not known")


@pytest.mark.parametrize(
    "value",
    [
        *(0, True, None, "", "\ud800", "é", 1.5, -0.0, 10**5000, -(10**5000), math.inf, 1e-300, 2 + 3j, b"\x00\xff"),
        *(
            [],
            [1, [2, "a"]],
            (),
            (1, (2,)),
            {},
            {1: "a", (1, 2): [3]},
            set(),
            {1, (2, 3)},
            frozenset({1}),
            range(3, 9, 2),
        ),
        *([10**5000], Decimal("1.50"), Fraction(1, 3), deque([1, 2]), bytearray(b"a"), Counter("aab"), {"int": "0x1"}),
        *(
            OrderedDict([(1, 2), (0, 1)]),
            dt.date(2024, 1, 2),
            dt.datetime(2024, 1, 2, 3),
            dt.time(1),
            dt.timedelta(1, 2),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_builtin_values_arrive_as_they_are(value):
    assert passed_on(value) == value
    assert type(passed_on(value)) is type(value)


def test_nan_stays_unequal():
    assert math.isnan(passed_on([math.nan])[0])


@pytest.mark.parametrize(
    "value, plain",
    [
        (Point(1, 2), (1, 2)),
        (Color.RED, 1),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
    ],
)
def test_subclasses_arrive_as_the_builtin_type(value, plain):
    assert passed_on(value) == plain
    assert type(passed_on(value)) is type(plain)


def test_methods_of_a_subclass_are_not_asked():
    class Liar(list):
        def __iter__(self):
            return iter([1, 2])

        def __eq__(self, other):
            return True

        def __reduce__(self):
            raise AssertionError

    assert passed_on(Liar([9])) == [9]
    assert passed_on(Liar([9])) != [1, 2]


def test_what_cannot_be_copied_is_referred_to():
    assert passed_on([1, refuse], unknown=lambda value: {"object": 7}) == [1, 7]


def test_a_copy_shares_nothing():
    wire = write_value([[1, 2], [3]], refuse)
    copy = read_value(wire, {})
    copy[0].append(9)
    assert wire == [[1, 2], [3]]


@pytest.mark.parametrize(
    "wire", [{"unknown": 1}, {"int": "zz"}, {"dict": [[1]]}, {"set": [[[]]]}, {}, {"a": 1, "b": 2}]
)
def test_what_nobody_wrote_raises(wire):
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_value(wire, {})


def test_a_value_that_holds_itself_raises():
    value = []
    value.append(value)
    with pytest.raises(RecursionError):
        write_value(value, refuse)
