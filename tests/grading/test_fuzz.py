"""Random formulas: another spelling of the same one is correct, one with a changed number or sign is not.

A formula is drawn as a tree of tuples that knows its spellings and, by floating point and none of the grader's code,
its value at two points; a change that leaves both values as they are is no change.
"""

import cmath
import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stepalign.core.rollout import Outcome
from stepalign.grading.math import compare
from stepalign.grading.plain import plain_outcome

POINTS = (
    {"x": 0.731, "y": 1.913, "R": 2.377, "r": 0.577, "theta": 0.331},
    {"x": 1.271, "y": 0.479, "R": 3.119, "r": 1.213, "theta": 0.817},
)
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
EXAMPLES = settings(
    max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

integers = st.integers(2, 99).map(lambda n: ("n", n))
symbols = st.sampled_from(["x", "y", "R", "r", "theta"]).map(lambda name: ("s", name))
constants = st.just(("pi",))


def trees(leaves, max_leaves=6):
    """Formulas over the leaves."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.just("+"), inner, inner),
            st.tuples(st.just("-"), inner, inner),
            st.tuples(st.just("*"), inner, inner),
            st.tuples(st.just("/"), inner, inner),
            st.tuples(st.just("^"), inner, st.integers(2, 4)),
            st.tuples(st.just("sqrt"), inner),
            st.tuples(st.sampled_from(["sin", "cos", "ln"]), inner),
        ),
        max_leaves=max_leaves,
    )


numeric = trees(st.one_of(integers, constants))
symbolic = trees(st.one_of(integers, symbols, constants))


def value(tree, point):
    op, *args = tree
    if op == "n":
        return args[0]
    if op == "s":
        return point[args[0]]
    if op == "pi":
        return math.pi
    a = value(args[0], point)
    if op == "^":
        return a ** args[1]
    if len(args) == 2:
        b = value(args[1], point)
        return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[op]()
    return {"sqrt": cmath.sqrt, "sin": cmath.sin, "cos": cmath.cos, "ln": cmath.log}[op](a)


def values(tree):
    """The values at both points; an example that has none, or none in a sane range, is passed over."""
    try:
        found = [complex(value(tree, point)) for point in POINTS]
    except (ZeroDivisionError, ValueError, OverflowError):
        assume(False)
    assume(all(1e-9 < abs(v) < 1e12 and abs(v.imag) < 1e-12 for v in found))
    return found


def latex(tree):
    op, *args = tree
    if op == "n":
        return str(args[0])
    if op == "s":
        return r"\theta " if args[0] == "theta" else args[0]
    if op == "pi":
        return r"\pi "
    a = latex(args[0])
    if op == "^":
        return rf"\left({a}\right)^{{{args[1]}}}"
    if op == "sqrt":
        return rf"\sqrt{{{a}}}"
    if len(args) == 1:
        return rf"\{op}\left({a}\right)"
    b = latex(args[1])
    if op == "/":
        return rf"\dfrac{{{a}}}{{{b}}}"
    sign = r"\cdot" if op == "*" else op
    return rf"\left({a}\right) {sign} \left({b}\right)"


def plain(tree):
    """As models write it in plain text, sums and products in the other order."""
    op, *args = tree
    if op == "n":
        return str(args[0])
    if op == "s":
        return args[0]
    if op == "pi":
        return "pi"
    a = plain(args[0])
    if op == "^":
        return f"({a})**{args[1]}"
    if len(args) == 1:
        return f"{op}({a})"
    b = plain(args[1])
    return f"-({b}) + ({a})" if op == "-" else f"({a})/({b})" if op == "/" else f"({b}) {op} ({a})"


def signs(tree):
    """In Unicode."""
    op, *args = tree
    if op == "n":
        return str(args[0])
    if op == "s":
        return "θ" if args[0] == "theta" else args[0]
    if op == "pi":
        return "π"
    a = signs(args[0])
    if op == "^":
        return f"（{a}）{str(args[1]).translate(SUPERSCRIPTS)}"
    if len(args) == 1:
        return f"{'√' if op == 'sqrt' else op}({a})"
    b = signs(args[1])
    return f"({a}) {({'+': '+', '-': '−', '*': '×', '/': '÷'})[op]} ({b})"


@st.composite
def changed(draw, tree):
    """The tree with one number, sign, symbol or function another one."""
    op, *args = tree
    if op == "n":
        return ("n", args[0] + draw(st.sampled_from([1, 2, 10])))
    if op == "s":
        return ("s", draw(st.sampled_from([n for n in POINTS[0] if n != args[0]])))
    if op == "pi":
        return ("n", 3)
    choices = ["inside"] + (["here"] if op in "+-^" or op in ("sin", "cos") else [])
    if draw(st.sampled_from(choices)) == "here":
        if op == "^":
            return (op, args[0], args[1] + 1)
        return ({"+": "-", "-": "+", "sin": "cos", "cos": "sin"}[op], *args)
    at = draw(st.integers(0, len(args) - 1)) if op != "^" else 0
    return (op, *(draw(changed(arg)) if i == at else arg for i, arg in enumerate(args)))


def outcome(gold, answer):
    return plain_outcome(gold, answer) or compare(gold, answer)


@pytest.mark.parametrize("formulas", [numeric, symbolic], ids=["numeric", "symbolic"])
@pytest.mark.parametrize("spell", [latex, plain, signs])
def test_another_spelling_is_correct(formulas, spell):
    @EXAMPLES
    @given(formulas)
    def check(tree):
        values(tree)
        assert outcome(latex(tree), spell(tree)) is Outcome.CORRECT, (latex(tree), spell(tree))

    check()


@pytest.mark.parametrize("formulas", [numeric, symbolic], ids=["numeric", "symbolic"])
def test_a_changed_formula_is_not(formulas):
    @EXAMPLES
    @given(st.data())
    def check(data):
        tree = data.draw(formulas)
        other = data.draw(changed(tree))
        pairs = zip(values(tree), values(other), strict=True)
        assume(any(abs(a - b) > 1e-6 * abs(a) for a, b in pairs))
        spell = data.draw(st.sampled_from([latex, plain, signs]))
        assert outcome(latex(tree), spell(other)) is not Outcome.CORRECT, (latex(tree), spell(other))

    check()


SPELLINGS = [
    lambda n, d: f"{n / 10**d:.{d}f}",
    lambda n, d: f"{n / 10**d:,.{d}f}",
    lambda n, d: f"${n / 10**d:,.{d}f}$",
    lambda n, d: rf"\boldsymbol{{{n / 10**d:.{d}f}}}",
    lambda n, d: f"{n / 10**d:.{d}f} kg",
    lambda n, d: rf"{n / 10**d:.{d}f}\text{{ metres}}",
    lambda n, d: "".join(chr(ord(c) + 0xFEE0) for c in f"{n / 10**d:.{d}f}") + "。",
    lambda n, d: f"−{n / 10**d:.{d}f}".replace("−", "" if n >= 0 else "−").replace("--", "-").replace("−-", "−"),
    lambda n, d: f"{n} × 10^-{d}" if d else f"{n}",
    lambda n, d: rf"\frac{{{n}}}{{{10**d}}}",
    lambda n, d: f"= {n / 10**d:.{d}f}",
]  # fmt: skip


@EXAMPLES
@given(st.integers(-(10**7), 10**7), st.integers(0, 3), st.sampled_from(SPELLINGS))
def test_a_number_in_another_spelling_is_correct(n, d, spell):
    assert outcome(f"{n / 10**d:.{d}f}", spell(n, d)) is Outcome.CORRECT, (n, d, spell(n, d))


@EXAMPLES
@given(
    st.integers(-(10**7), 10**7), st.integers(0, 3), st.sampled_from(SPELLINGS), st.sampled_from([-1, 1, 10, -10, 100])
)
def test_a_number_that_differs_in_its_last_place_is_not(n, d, spell, change):
    assert outcome(f"{n / 10**d:.{d}f}", spell(n + change, d)) is not Outcome.CORRECT, (n, d, spell(n + change, d))
    if n:
        assert outcome(f"{n / 10**d:.{d}f}", spell(-n, d)) is not Outcome.CORRECT, (n, d, spell(-n, d))


LETTERS = ["x", "R", "r", "E_0", r"\gamma "]
terms = st.tuples(
    st.integers(-20, 20).filter(bool),
    st.sampled_from([1, 1, 1, 2, 7]),
    st.dictionaries(st.sampled_from(LETTERS), st.integers(1, 2), max_size=2),
)
polynomials = st.lists(terms, min_size=1, max_size=4, unique_by=lambda term: tuple(sorted(term[2].items())))


def polynomial(terms, *, plainly):
    """A sum of terms as people write it: no sign for a product, no bracket, no coefficient of 1."""
    written = []
    for n, d, powers in terms:
        coefficient = (
            ""
            if abs(n) == d == 1 and powers
            else str(abs(n))
            if d == 1
            else f"({abs(n)}/{d})"
            if plainly
            else rf"\frac{{{abs(n)}}}{{{d}}}"
        )
        letters = [name + ("" if p == 1 else f"^{p}" if plainly else f"^{{{p}}}") for name, p in powers.items()]
        written.append(("-" if n < 0 else "+", (" " if plainly else "").join([coefficient, *letters])))
    text = (
        " ".join(f"{sign} {term}" for sign, term in written)
        if plainly
        else "".join(sign + term for sign, term in written)
    )
    return text.removeprefix("+").strip()


def same_terms(a, b):
    def coefficients(terms):
        return {tuple(sorted(powers.items())): n / d for n, d, powers in terms}

    return coefficients(a) == coefficients(b)


@EXAMPLES
@given(polynomials, st.randoms(use_true_random=False), st.booleans())
def test_a_polynomial_in_another_order_is_correct(terms, random, plainly):
    shuffled = [
        (n, d, dict(random.sample(sorted(powers.items()), len(powers))))
        for n, d, powers in random.sample(terms, len(terms))
    ]
    gold, answer = polynomial(terms, plainly=False), polynomial(shuffled, plainly=plainly)
    assert outcome(gold, answer) is Outcome.CORRECT, (gold, answer)


@EXAMPLES
@given(polynomials, st.data(), st.booleans())
def test_a_polynomial_with_another_term_is_not(terms, data, plainly):
    at = data.draw(st.integers(0, len(terms) - 1))
    other = [*terms[:at], data.draw(terms_like(terms[at])), *terms[at + 1 :]]
    assume(len({tuple(sorted(t[2].items())) for t in other}) == len(other) and not same_terms(terms, other))
    gold, answer = polynomial(terms, plainly=False), polynomial(other, plainly=plainly)
    assert outcome(gold, answer) is not Outcome.CORRECT, (gold, answer)


@st.composite
def terms_like(draw, term):
    """The term with another coefficient, sign, letter or power."""
    n, d, powers = term
    what = draw(st.sampled_from(["coefficient", "sign", "divisor", "letter", "power"]))
    if what == "sign":
        return (-n, d, powers)
    if what == "coefficient":
        return (n + 1 or 1, d, powers)
    if what == "divisor" or not powers:
        return (n, d + 1, powers)
    name = draw(st.sampled_from(sorted(powers)))
    if what == "power":
        return (n, d, {**powers, name: powers[name] + 1})
    return (n, d, {(draw(st.sampled_from(LETTERS)) if key == name else key): p for key, p in powers.items()})
