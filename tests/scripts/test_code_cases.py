"""The cases of four feedback formats are what the formats make of the programs as they run."""

import yaml
from scripts.code_cases import CASES, MICRO_NAME, NAME, fizzbuzz_case, micro_case


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


def test_the_code_worlds_case_lacks_a_colon_and_nothing_else():
    made, shipped = micro_case(), yaml.safe_load((CASES / MICRO_NAME).read_text())
    assert {**made, "contexts": 0} == {**shipped, "contexts": 0}
    response, repaired = shipped["response"].splitlines(), shipped["contexts"]["stepalign"].splitlines()
    differing = [(a, b) for a, b in zip(response, repaired, strict=True) if a != b]
    assert len(differing) == 1 and differing[0][1] == differing[0][0] + ":"
    assert "SyntaxError: expected ':'" in shipped["contexts"]["execution"]
