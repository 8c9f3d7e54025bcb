r"""Parse a scalar formula by recursive descent: sums, products, powers, fractions, roots, functions.

Written and unwritten products differ: `x/2y` is x over 2y; only a fraction of two numbers is a coefficient (`1/2 x`). A
whole number before a fraction of numbers is a mixed number. `^` takes a whole number (`10^23`), as plain text means it.
"""

from __future__ import annotations

from collections.abc import Sequence

from stepalign.grading.numbers import as_number
from stepalign.grading.tokens import END, FUNCTIONS, GREEK, Cursor, NoFormula, Token
from stepalign.grading.tree import Node, number

_CONSTANTS = {r"\pi": "pi", r"\infty": "infty", "e": "e", "i": "i"}
_SYMBOLS = frozenset(f"\\{name}" for name in (GREEK | {"hbar", "ell", "partial", "nabla", "Delta", "star", "circ"}))
_ACCENTS = frozenset((r"\hat", r"\vec", r"\overline", r"\dot", r"\ddot", r"\tilde", r"\cal", r"\frak", r"\mathbb"))
_FIGURES = frozenset((r"\angle", r"\triangle"))
_NO_FACTORS = frozenset((r"\times", r"\cdot", r"\rfloor", r"\rceil", r"\dots", r"\choose"))
_FENCES = {r"\lfloor": (r"\rfloor", "floor"), r"\lceil": (r"\rceil", "ceil")}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
    "sixteen": 16,
}  # fmt: skip


def parse_formula(tokens: Sequence[Token], *, greedy: bool) -> Node:
    """The tree of a scalar formula; see `parse` for `greedy`."""
    formula = _Formula(tokens, greedy)
    node = formula.sum()
    if formula.next is not END:
        raise NoFormula(f"{formula.next.text} where the formula should end")
    return node


class _Formula(Cursor):
    """One method a level of the grammar."""

    def __init__(self, tokens: Sequence[Token], greedy: bool) -> None:
        super().__init__(tokens)
        self.greedy = greedy
        self.bars = 0  # how many absolute values are open: a bar then closes one

    def sum(self) -> Node:
        """Terms with a sign between them."""
        terms = [self.signed()]
        while self.next.text in ("+", "-"):
            sign = self.take().text
            term = self.signed()
            terms.append(term if sign == "+" else Node("-", (term,)))
        return terms[0] if len(terms) == 1 else Node("+", tuple(terms))

    def signed(self) -> Node:
        """A product with any signs before it."""
        if self.takes("-"):
            return Node("-", (self.signed(),))
        return self.signed() if self.takes("+") else self.product()

    def product(self) -> Node:
        """Factors with a written sign between them."""
        node = self.factors()
        while self.next.text in ("*", r"\times", r"\cdot", "/"):
            if self.take().text == "/":
                node = self.divided(node)
            else:
                node = Node("*", (node, self.negative() or self.factors()))
        return node

    def negative(self) -> Node | None:
        """The factors behind a minus sign, None where none stands."""
        return Node("-", (self.factors(),)) if self.takes("-") else None

    def divided(self, node: Node) -> Node:
        """A dividend over what follows; of two numbers a fraction, which may be a coefficient."""
        if node.op != "number":
            return Node("/", (node, self.negative() or self.factors()))
        first = self.negative() or self.power()
        if first.op != "number":
            return Node("/", (node, self.factors(first)))
        node = Node("/", (node, first))
        return Node("*", (node, self.factors())) if self.starts_factor(node) else node

    def factors(self, node: Node | None = None) -> Node:
        """An unwritten product, whose first factor may have been read."""
        node = node or self.power()
        while self.starts_factor(node):
            is_fraction = self.next.text == r"\frac"
            factor = self.power()
            node = Node("+" if is_fraction and _is_mixed(node, factor) else "*", (node, factor))
        return node

    def starts_factor(self, last: Node) -> bool:
        """Whether the next token goes on with an unwritten product after a factor."""
        token = self.next
        if token.text == "|":
            return not self.bars
        if token.kind == "number":
            return last.op not in ("number", "based") and (token.spaced or self.tokens[self.at - 1].text in ")]}!")
        if token.kind in ("letter", "word") or token.text in ("(", "[", "{"):
            return True
        return token.kind == "command" and token.text not in _NO_FACTORS

    def power(self) -> Node:
        """An atom, what is behind it, and its exponent."""
        node = self.postfix(self.atom())
        if not self.takes("^"):
            return node
        if self.takes(r"\circ"):
            return self.postfix(Node("degrees", (node,)))
        return self.postfix(Node("^", (node, self.exponent())))

    def exponent(self) -> Node:
        """A group, or one atom with its signs and exponents."""
        if self.takes("-"):
            return Node("-", (self.exponent(),))
        self.takes("+")
        node = self.group() if self.next.text == "{" else self.atom()
        return Node("^", (node, self.exponent())) if self.takes("^") else node

    def postfix(self, node: Node) -> Node:
        """A node with its factorials and percent signs."""
        while True:
            if self.takes("!"):
                node = Node("!", (node,))
            elif self.takes("%"):
                node = Node("percent", (node,))
            else:
                return node

    def atom(self) -> Node:
        """A number, a symbol, a bracket or a command."""
        token = self.take()
        if token.kind == "number":
            return self.number(token)
        if token.text in _BRACKETS:
            return self.bracketed(token.text)
        if token.text == "|":
            return self.absolute()
        if token.text in _CONSTANTS and self.next.text not in ("_", "'"):
            return Node("constant", name=_CONSTANTS[token.text])
        if token.kind in ("letter", "word") or token.text in _SYMBOLS or token.text == r"\pi":
            return self.symbol(token.text.casefold() if token.kind == "word" else token.text)
        if token.text in _ACCENTS:
            return self.symbol(f"{token.text[1:]} {self.text_of_argument()}")
        if token.text in _FIGURES:
            return self.symbol(token.text[1:] + " " + self.letters())
        if token.text in _FENCES:
            closing, name = _FENCES[token.text]
            inside = self.sum()
            self.take(closing)
            return Node("function", (inside,), name)
        if token.kind == "command":
            return self.command(token.text[1:])
        raise NoFormula(f"{token.text} where a term should begin")

    def number(self, token: Token) -> Node:
        """A number, with its base if it has one."""
        if self.takes("_"):
            base = self.text_of_argument()
            return Node("based", marks=(token.text.lstrip("0") or "0", str(_BASES.get(base, base))))
        value = as_number(token.text)
        if value is None:
            raise NoFormula(f"no number: {token.text}")
        return number(value)

    def bracketed(self, opening: str) -> Node:
        """What is inside a bracket, up to its end."""
        bars, self.bars = self.bars, 0
        inside = self.sum()
        if opening == "{" and self.takes(r"\choose"):
            inside = Node("binom", (inside, self.sum()))
        self.take(_BRACKETS[opening])
        self.bars = bars
        return inside

    def absolute(self) -> Node:
        """An absolute value, up to its bar."""
        self.bars += 1
        inside = self.sum()
        self.take("|")
        self.bars -= 1
        return Node("abs", (inside,))

    def symbol(self, name: str) -> Node:
        """A symbol with its subscript and primes."""
        if self.takes("_"):
            name += "_" + self.text_of_argument()
        elif (
            self.next.kind == "number"
            and not self.next.spaced
            and self.next.text.isdigit()
            and name.lstrip("\\").isalpha()
        ):
            name += "_" + self.take().text  # "x1"
        primes = 0
        while self.takes("'") or (
            self.next.text == "^" and self.tokens[self.at + 1 : self.at + 2] == [Token("sign", "'")] and self.takes("^")
        ):
            primes += 1
        return Node("symbol", name=name + "'" * primes)

    def letters(self) -> str:
        """The letters of a figure's corners."""
        if self.next.text == "{":
            return self.text_of_argument()
        name = ""
        while self.next.kind == "letter":
            name += self.take().text
        return name

    def group(self) -> Node:
        """What is inside braces."""
        self.take("{")
        return self.bracketed("{")

    def argument(self) -> Node:
        r"""A group, or one token: of `\frac12` one digit."""
        if self.next.text == "{":
            return self.group()
        if self.next.kind == "number" and len(self.next.text) > 1 and self.next.text.isdigit():
            digits = self.take().text
            self.at -= 1
            self.tokens[self.at] = Token("number", digits[1:])
            return number(int(digits[0]))
        return self.atom()

    def command(self, name: str) -> Node:
        """A command with its arguments."""
        if name in ("frac", "binom"):
            above, below = self.argument(), self.argument()
            return Node("/", (above, below)) if name == "frac" else Node("binom", (above, below))
        if name == "sqrt":
            index = None
            if self.takes("["):
                index = self.sum()
                self.take("]")
            radicand = self.group() if self.next.text == "{" else self.postfix(self.atom())
            return Node("root", (radicand, index or number(2)))
        if name in FUNCTIONS:
            return self.function(name)
        raise NoFormula(f"\\{name} is not known")

    def function(self, name: str) -> Node:
        """A function with its power or base and its arguments."""
        base = exponent = None
        following = self.tokens[self.at + 1 : self.at + 2]
        if name == "log" and self.next.kind == "number" and following and following[0].text == "(":
            base = self.atom()  # "log2(8)"
        while self.next.text in ("_", "^"):
            if self.takes("_"):
                base = self.group() if self.next.text == "{" else self.atom()
            elif self.takes("^"):
                exponent = self.exponent()
        arguments = self.arguments()
        if name == "log":
            arguments = [*arguments, base or number(10)]
        elif base is not None:
            raise NoFormula(f"a subscript of {name}")
        if exponent is not None and exponent == Node("-", (number(1),)):
            return Node("function", tuple(arguments), "arc" + name)
        node = Node("function", tuple(arguments), name)
        return node if exponent is None else Node("^", (node, exponent))

    def arguments(self) -> list[Node]:
        """The arguments in brackets, or the one without."""
        if self.next.text not in ("(", "[", "{"):
            return [self.bare_argument()]
        opening = self.take().text
        arguments = [self.sum()]
        while self.takes(","):
            arguments.append(self.sum())
        self.take(_BRACKETS[opening])
        return arguments

    def bare_argument(self) -> Node:
        """The factors after a function without brackets, up to a function or, unless greedy, the first symbol."""
        if self.takes("-"):
            return Node("-", (self.bare_argument(),))
        factors = [self.power()]
        while self.starts_factor(factors[-1]) and self.next.text.lstrip("\\") not in FUNCTIONS:
            if not self.greedy and any(part.op == "symbol" for part in factors[-1].walk()):
                break
            if self.next.text in ("(", "["):
                break
            factors.append(self.power())
        node = factors[0]
        for factor in factors[1:]:
            node = Node("*", (node, factor))
        return node


def _is_mixed(whole: Node, fraction: Node) -> bool:
    """A whole number before a fraction of two numbers, as in 3 1/2."""
    return (
        whole.op == "number"
        and fraction.op == "/"
        and all(node.number is not None and node.number.value.denominator == 1 for node in (whole, *fraction.args))
    )
