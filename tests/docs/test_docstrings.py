"""The examples of the docstrings run and give what they say."""

from __future__ import annotations

import doctest

import pytest

from .examples import examples, given, unprompted

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
NOT_RUN = {  # docstring: why
    "stepalign.core.hub": "needs the hub",
    "stepalign.data.sources.hub": "needs the hub",
    "stepalign.evaluation.served": "needs a server",
    "stepalign.training.run": "takes the settings of a whole run; the example of stepalign.api goes through it",
}


EXAMPLES = {test.name: test for test in examples()}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - NOT_RUN))
def test_an_example_gives_what_it_says(name, reader, request):
    test = EXAMPLES[name]
    test.globs.update({name: request.getfixturevalue(name) for name in given(test)})
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append)
    assert not said, "".join(said)


def test_what_is_code_is_an_example():
    """Python in a docstring stands behind `>>>`, so that it runs here."""
    assert not (left := sorted(unprompted())), "\n".join(left)


def test_what_is_not_run_is_there():
    assert NOT_RUN.keys() <= EXAMPLES.keys()
