"""A report's rollouts in headless Chromium: their addresses, their token maps, and contexts beside traces."""

from urllib.parse import quote

import pytest

from stepalign.core.files import read_jsonl, write_jsonl
from stepalign.report.inspection.page import write_page
from stepalign.report.write import write_report

from .comparison.synthetic_run import write_probes, write_run
from .comparison.test_browser import choose, open_report, status, wait
from .directories import write
from .test_browser import open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STRANGE = "a/b c%20d%\"'<é😀>&token=7#?=\\`{{7*7}}"
HASH = "return location.hash"
HEADING = "return (document.querySelector('.detail h3')?.textContent ?? '')"
TOLD = "return [...document.querySelectorAll('.detail .told')].map(e => Number(e.dataset.token))"


def open_at(browser, path, address):
    """Open a report at an address, as a link from elsewhere does."""
    browser.get("about:blank")
    browser.get(f"{path.resolve().as_uri()}#{address}")
    wait(browser, "return document.documentElement.dataset.ready === 'true'")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("runs") / "run", num_rollouts=200)
    probed = write_probes(path / "conditions/stepalign/seed_0", "stepalign")
    return write_report(path), probed


@pytest.fixture(scope="module")
def localized(tmp_path_factory):
    """A localization whose first rollout has a name that is hard to put into an address."""
    directory = write("localize", tmp_path_factory.mktemp("localized") / "run")
    for name, key in (("labels.used", "id"), ("tokens", "problem_id"), ("contexts", "problem_id")):
        rows = read_jsonl(directory / f"{name}.jsonl")
        rows = [row | ({key: STRANGE} if row[key] == "p0" else {}) for row in rows]
        write_jsonl(directory / f"{name}.jsonl", rows)
    scores = [
        {"format": name, "problem_id": STRANGE, "sample": 0, "status": "ok", "advantage": [0.5, 0.25, 0.0, 0.25, low]}
        for name, low in (("refsol", 0.3), ("stepalign", -4.0))
    ]
    lowest = {"format": "stepalign", "problem_id": "p1", "sample": 0, "status": "ok", "advantage": [-9.0]}
    write_jsonl(directory / "scores.jsonl", [*scores, lowest])
    right = {"problem_id": "p1", "sample": 0, "tokens": ["2 + 2 + 1 = 5"], "token_steps": [1]}
    write_jsonl(directory / "tokens.jsonl", [*read_jsonl(directory / "tokens.jsonl"), right])
    return write_report(directory)


class TestAddresses:
    def test_a_strange_name_comes_back_as_it_went(self, browser, localized):
        open_page(browser, localized)
        browser.execute_script("document.querySelector('[data-rollout=\"1\"]').click()")
        wait(browser, f"{HEADING} === 'problem p1, sample 0'")
        assert browser.execute_script(HASH) == "#rollout=p1/0"
        browser.execute_script("document.querySelector('[data-rollout=\"0\"]').click()")
        wait(browser, "return document.querySelectorAll('.detail .tokens').length === 2")
        browser.execute_script("document.querySelector('.detail .tokens [data-token=\"3\"]').click()")
        address = browser.execute_script(HASH)
        encoded = quote(STRANGE, safe="!'()*~")
        assert address == f"#rollout={encoded}/0&token=3"
        open_at(browser, localized, address[1:])
        wait(browser, f"{TOLD}.join() === '3,3'")
        assert browser.execute_script(HEADING) == f"problem {STRANGE}, sample 0"
        assert browser.execute_script("return window.hacked") is None

    def test_a_token_is_shown_and_has_the_focus(self, browser, localized):
        open_at(browser, localized, f"rollout={quote(STRANGE, safe='')}/0&token=4")
        wait(browser, "return document.activeElement?.className === 'tokens'")
        assert browser.execute_script(TOLD) == [4, 4]
        assert browser.execute_script(
            "const r = document.activeElement.querySelector('.told').getBoundingClientRect();"
            "return r.top >= 0 && r.bottom <= innerHeight && document.activeElement.closest('.detail') !== null"
        )

    def test_another_address_on_the_open_page(self, browser, localized):
        open_at(browser, localized, f"rollout={quote(STRANGE, safe='')}/0&token=1")
        wait(browser, f"{TOLD}.join() === '1,1'")
        browser.execute_script("location.hash = '#rollout=p1/0'")
        wait(browser, f"{HEADING} === 'problem p1, sample 0'")

    @pytest.mark.parametrize("address", ["rollout=nobody/0", "rollout=%/0", "rollout=&token=x", "rollouts", "token=99"])
    def test_an_address_of_nothing_opens_the_page_as_ever(self, browser, localized, address):
        open_at(browser, localized, address)
        wait(browser, "return !!document.querySelector('.detail h3')")
        said = browser.execute_script("return document.querySelector('.detail .note')?.textContent ?? ''")
        wanted = "The address names problem nobody, sample 0, of which there is no rollout on this page."
        assert said == (wanted if address.startswith("rollout=nobody") else said)
        assert bool(said) == address.startswith(("rollout=nobody", "rollout=&"))
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

    def test_conditions_that_share_a_problem_are_told_apart(self, browser, run):
        report, _ = run
        open_report(browser, report)
        choose(browser, "Condition", "refsol")
        wait(
            browser, "return document.querySelector('#rollout-browser [role=status]').textContent.startsWith('200 of')"
        )
        browser.execute_script("document.querySelector('[data-rollout]').click()")
        wait(browser, f"{HEADING}.startsWith('refsol')")
        address = browser.execute_script(HASH)
        assert address == "#rollout=train-0/0&condition=refsol&seed=0&step=1"
        open_at(browser, report, address[1:])
        wait(browser, f"{HEADING} === 'refsol, step 1, problem train-0, sample 0'")
        assert browser.execute_script("return document.querySelectorAll('.browser tr[aria-current]').length") == 1

    def test_a_token_of_an_inspection(self, browser, inspection_result, tmp_path):
        write_page(inspection_result(), tmp_path / "a.html")
        open_at(browser, tmp_path / "a.html", "token=2")
        told = "return [...document.querySelectorAll('.told')].map(e => Number(e.dataset.token))"
        assert browser.execute_script(told) == [2, 2]
        assert browser.execute_script("return document.activeElement.className").startswith("tokens")
        browser.execute_script("document.querySelector('.tokens [data-token=\"7\"]').click()")
        assert browser.execute_script(HASH) == "#token=7"

    def test_a_token_far_behind_is_found(self, browser, inspection_result, tmp_path):
        result = inspection_result(["a "] * 7000, [1] * 7000, {"one": [0.5] * 6999 + [-3.0]}, 1)
        write_page(result, tmp_path / "a.html")
        open_at(browser, tmp_path / "a.html", "token=6500")
        assert browser.execute_script("return document.querySelector('.told').dataset.token") == "6500"


class TestTokenMaps:
    def test_a_slider_goes_through_the_steps_of_training(self, browser, run):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        report, probed = run
        open_report(browser, report)
        choose(browser, "Token by token", "at 3 steps of training")
        wait(browser, "return document.querySelector('#rollout-browser [role=status]').textContent.startsWith('1 of')")
        browser.execute_script("document.querySelector('[data-rollout]').click()")
        wait(browser, "return !!document.querySelector('.detail input[type=range]')")
        text = browser.execute_script("return document.querySelector('.detail .tokens').textContent")
        assert text == "".join(probed["tokens"])
        card = "return document.querySelector('.detail .card').textContent"
        assert "A_t −3.00 nats" in browser.execute_script(card), "the lowest token of the wrong step"
        browser.execute_script("document.querySelector('.detail input[type=range]').focus()")
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT * 2).perform()
        said = "return document.querySelector('.detail input[type=range]').getAttribute('aria-valuetext')"
        assert browser.execute_script(said) == "after step 20"
        assert "A_t −1.00 nats" in browser.execute_script(card)
        assert browser.execute_script("return document.activeElement.type") == "range", "the focus stays"

    def test_order_and_aim(self, browser, localized):
        open_page(browser, localized)
        first = "return document.querySelector('[data-rollout]').textContent"
        assert browser.execute_script(first).startswith("a/b")
        choose(browser, "Order", "low stepalign")
        wait(browser, f"{first} === 'p1'")
        choose(browser, "Order", "")
        wait(browser, f"{first}.startsWith('a/b')")
        options = browser.execute_script(
            "return [...document.querySelectorAll('#rollout-controls option')].map(o => o.textContent)"
        )
        assert "lowest A_t first, refsol" in options and "in the wrong step (1)" not in options

    def test_wrong_rollouts_of_a_step_whose_critique_changed_a_step(self, browser, run):
        """Three choices, where one condition has critiques."""
        report, _ = run
        open_report(browser, report)
        for label, value in (("Grade", "wrong"), ("Step", "3"), ("Critique changed", "step 2")):
            choose(browser, label, value)
        rows = read_jsonl(report.parent / "conditions/stepalign/seed_0/rollouts.jsonl")
        wanted = [
            row for row in rows if (row["step"], row["grade"], row["critique"]["first_wrong_step"]) == (3, "wrong", 2)
        ]
        assert status(browser) == f"{len(wanted)} of 600 rollouts" and wanted
        assert browser.execute_script(
            "return [...document.querySelectorAll('.browser tbody tr')]"
            ".every(r => r.textContent.startsWith('stepalign'))"
        )


@pytest.fixture(scope="module")
def critiqued(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("runs") / "run", num_rollouts=3)
    trace = "<step_1>2 + 2 = 4</step_1>\n<step_2>then 4 + 1 gives the sum 6</step_2>\n<answer>6</answer>"
    context = trace.replace("sum 6", "sum 5").replace("<answer>6", "<answer>5")
    steps = [
        {"text": "2 + 2 = 4", "origin": "copied"},
        {"text": "then 4 + 1 gives the sum 5", "origin": "rewritten"},
    ]
    critique = {"case": "D", "first_wrong_step": 2, "steps": steps, "answer": "5", "verified": True}
    critique |= {"source": "exact", "judgement": "It is <b>5</b>."}
    row = {"step": 1, "problem_id": "train-0", "sample": 0, "text": trace, "num_tokens": 9, "grade": "wrong"}
    row |= {"context": context, "context_status": "ok", "critique": critique}
    write_jsonl(path / "conditions/stepalign/seed_0/rollouts.jsonl", [row])
    return write_report(path)


class TestBeside:
    def shown(self, browser, critiqued):
        open_report(browser, critiqued)
        choose(browser, "Condition", "stepalign")
        wait(browser, "return document.querySelector('#rollout-browser [role=status]').textContent.startsWith('1 of')")
        browser.execute_script("document.querySelector('[data-rollout]').click()")
        wait(browser, f"{HEADING}.startsWith('stepalign')")

    def test_copies_are_joined_and_the_change_is_marked(self, browser, critiqued):
        self.shown(browser, critiqued)
        texts = (
            "return [...document.querySelectorAll('.detail .pair pre')]"
            ".map(p => [...p.querySelectorAll(arguments[0])].map(e => e.textContent))"
        )
        trace, context = browser.execute_script(texts, ".copied")
        assert context == ["2 + 2 = 4", "then 4 + 1 gives the sum "] == trace
        assert browser.execute_script(texts, "mark") == [["then 4 + 1 gives the sum ", "6"], ["5"]]
        detail = browser.find_element("css selector", ".detail").text
        assert "case D, first wrong step 2, verified, by exact" in detail
        assert "The critic's words" in detail and "It is <b>5</b>." in detail

    def test_the_focus_shows_where_a_copy_is_from(self, browser, critiqued):
        from selenium.webdriver.common.action_chains import ActionChains

        self.shown(browser, critiqued)
        joined = "return [...document.querySelectorAll('.joined')].map(e => e.textContent)"
        browser.execute_script(
            "document.querySelectorAll('.detail .pair pre')[1].querySelectorAll('.copied')[1].focus()"
        )
        assert browser.execute_script(joined) == ["then 4 + 1 gives the sum "] * 2
        browser.execute_script("document.activeElement.blur()")
        assert browser.execute_script(joined) == []
        ActionChains(browser).move_to_element(
            browser.find_element("css selector", ".detail .pair pre .copied")
        ).perform()
        assert browser.execute_script(joined) == ["2 + 2 = 4"] * 2
