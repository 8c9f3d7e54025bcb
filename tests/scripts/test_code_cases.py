"""The FizzBuzz case of four feedback formats is what the formats make of the program as it runs."""

import yaml
from scripts.code_cases import CASES, NAME, fizzbuzz_case


def test_the_shipped_case_is_made_by_running_the_program():
    made, shipped = fizzbuzz_case(), yaml.safe_load((CASES / NAME).read_text())
    said = "SyntaxError: "  # what follows are the words of this Python's version
    for case in (made, shipped):
        assert case["contexts"]["execution"].startswith(f"The program fails in line 4: {said}")
        assert f"# <- line 4, {said}" in case["contexts"]["execution_aligned"]
    for name in ("stepalign", "refsol"):
        assert made["contexts"][name] == shipped["contexts"][name]
    assert "if i % 3 == 0 and" in shipped["contexts"]["stepalign"]
    assert {**made, "contexts": 0} == {**shipped, "contexts": 0}
