"""Headless Chromium for the browser tests; without it they are skipped, or fail where STEPALIGN_REQUIRE_BROWSER=1."""

import os
import shutil

import pytest

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network at all
    "--window-size=1280,1000",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not (chromium and chromedriver):
        reason = "needs chromium and chromedriver on the PATH (apt-get install chromium chromium-driver)"
        if os.environ.get("STEPALIGN_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


TOKENS = ["<step_1>", "2", "+", "2", "=4", "</step_1>", "\n<step_2>", "4", "+", "1=6", "</step_2>"]
STEPS = [None, 1, 1, 1, 1, None, None, 2, 2, 2, None]
ADVANTAGE = {
    "aligned": [0.0, 0.5, 0.25, 0.0, 0.25, 0.0, 0.0, 0.5, 0.0, -8.0, 0.0],
    "other": [0.1, -1.0, -2.0, -1.0, 0.0, 0.0, 0.0, -1.0, 0.0, -3.0, 0.0],
}


@pytest.fixture
def inspection_result():
    """Makes a result as `inspect_response` does; keywords replace its parts."""
    from stepalign.core.trace import parse_trace
    from stepalign.feedback.alignment import alignment
    from stepalign.maths.localization import localization, step_statistics

    def top(text, share):
        return [[text, share], [" carry", 0.6 * (1 - share)], ["\n", 0.4 * (1 - share)]]

    def make(tokens=TOKENS, steps=STEPS, advantage=ADVANTAGE, first_wrong_step=2, source="case file", **parts):
        response = "".join(tokens)

        def context(values):
            low = [value < -0.5 for value in values]
            return {
                "context": "<step_1>2+2=4</step_1>",
                "teacher_prompt": "problem and context",
                "student_logp": [-1.0] * len(values),
                "teacher_logp": [value - 1.0 for value in values],
                "advantage": values,
                "divergence": [2.0 if is_low else 0.1 for is_low in low],
                "expected_advantage": [-1.0 if is_low else -0.1 for is_low in low],
                "teacher_top": [top(" carry" if lo else text, 0.9) for lo, text in zip(low, tokens, strict=True)],
                "steps": [row.to_json() for row in step_statistics(values, steps)],
                "localization": localization(values, steps, first_wrong_step).to_json(),
                "alignment": alignment(parse_trace(response), "<step_1>2+2=4</step_1>", first_wrong_step).to_json(),
            }

        result = {
            "model": "micro",
            "problem": "2 + 2 + 1",
            "response": response,
            "first_wrong_step": first_wrong_step,
            "first_wrong_step_source": source,
            "student_prompt": "problem",
            "response_token_ids": list(range(len(tokens))),
            "tokens": list(tokens),
            "token_steps": list(steps),
            "student_top": [top(text, 0.5) for text in tokens],
            "contexts": {name: context(values) for name, values in advantage.items()},
            "notes": ["A note on this inspection."],
        }
        return result | parts

    return make
