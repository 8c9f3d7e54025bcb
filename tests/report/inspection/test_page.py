"""The page of an inspection, as text and in headless Chromium, opened from disk with the network blocked."""

import base64
import hashlib
import json
import os
import re
from html import unescape
from pathlib import Path
from random import Random

import pytest

from stepalign.report.inspection.measures import MEASURES, MISSING, number, share
from stepalign.report.inspection.page import render_page, write_page
from stepalign.report.palette import COLOURS

from ..comparison.test_browser import choose

EVIL = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg onload=window.hacked=1>"
    '" onmouseover="window.hacked=1" {{7*7}} `${window.hacked=1}`<style>*{display:none}</style>\u202egnp\x00\ud800<!--'
)
SHOWN = "⟨U+202E⟩gnp⟨U+0000⟩⟨U+D800⟩"


def rows(html, caption):
    """The cells of a table's body, as text."""
    table = re.search(rf'<table aria-label="{caption}">.*?</table>', html, re.S).group()
    body = table.split("<tbody>")[1]
    return [
        [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr.*?</tr>", body, re.S)
    ]


def test_the_page_is_one_file_that_fetches_nothing(inspection_result, tmp_path):
    write_page(inspection_result(), tmp_path / "a.html")
    html = (tmp_path / "a.html").read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html) and "url(" not in html
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert render_page(inspection_result()) == html


def test_measures_stand_beside_each_other_with_their_meaning(inspection_result):
    table = rows(render_page(inspection_result()), "What each context does")
    by_name = {row[0]: row[1:] for row in table}
    name = "Mean A_t on correct steps nats; above 0: what is right is reinforced; below 0: the context unlearns it"
    assert by_name[name] == ["+0.25", "−1.00"]
    assert by_name["Lowest A_t in the first wrong step nats; under aligned feedback that of the error itself"] == [
        "−8.00",
        "−3.00",
    ]
    assert len(table) == len(MEASURES)


def test_measures_of_a_wrong_step_are_left_out_where_none_is_wrong(inspection_result):
    html = render_page(inspection_result(first_wrong_step=None))
    assert not any("wrong step" in row[0] for row in rows(html, "What each context does")[:-1])
    assert "no step is wrong (case file)" in html
    unknown = render_page(inspection_result(first_wrong_step=None, source=None))
    assert "nobody said which step is wrong first" in unknown


def test_each_context_has_a_table_of_steps(inspection_result):
    assert rows(render_page(inspection_result()), "aligned") == [
        ["1", "4", "+0.25", "+1.00", "+0.00", "+0.50", "100 %"],
        ["2 first wrong", "3", "−2.50", "−7.50", "−8.00", "+0.50", MISSING],
    ]


def test_bars_by_kind_of_token(inspection_result):
    bars = re.findall(r'data-bars="(.*?)"', render_page(inspection_result()))
    whole, wrong = (json.loads(unescape(text)) for text in bars)
    assert whole["groups"][0][0] == "aligned" and whole["signal"] and whole["unit"] == "nats"
    values = {bar["label"]: bar["value"] for bar in whole["groups"][0][1]}
    assert values == {"digits": pytest.approx((0.5 + 0.0 + 0.25 + 0.5 - 8.0) / 5), "operators": 0.125, "tags": 0.0}
    assert [bar["value"] for bar in wrong["groups"][1][1]] == [-2.0, 0.0]  # digits: "4" and "1=6"; operators: "+"
    assert len(re.findall('data-bars="', render_page(inspection_result(first_wrong_step=None)))) == 1


def test_notes_are_shown(inspection_result):
    assert f"<p>{'A note on this inspection.'}" not in render_page(inspection_result(notes=[]))
    assert '<p class="note">A note on this inspection.</p>' in render_page(inspection_result())


def test_numbers_in_words():
    assert [number(None), number(-0.001), number(-1.255), number(2)] == ["–", "+0.00", "−1.25", "+2.00"]
    assert [share(None), share(0), share(0.666)] == ["–", "0 %", "67 %"]


def hostile(inspection_result):
    texts = {key: EVIL for key in ("model", "problem", "student_prompt", "first_wrong_step_source")}
    keys = ("case", "source", "judgement", "reply", "first_wrong_step")
    texts["critique"] = {**dict.fromkeys(keys, EVIL), "steps": [{"text": EVIL, "origin": EVIL}], "verified": True}
    result = inspection_result(
        [EVIL] * 4, [None, 1, 1, 1], {EVIL: [1.0, -2.0, 0.0, 9.0], "__proto__": [0.0] * 4}, 1, notes=[EVIL], **texts
    )
    for context in result["contexts"].values():
        context |= {
            "teacher_prompt": EVIL,
            "context": f"{EVIL}\nelsewhere",
            "teacher_top": [[[f"{EVIL}2", 0.9], ["__proto__", 0.1]]] * 4,
        }
        context |= {"divergence": [3.0] * 4, "expected_advantage": [-3.0] * 4, "advantage": [-1.0] * 4}
    result["student_top"] = [[[EVIL + EVIL, 0.9], ["\n", 0.1]]] * 4
    return result


def test_hostile_text_stays_text(inspection_result):
    html = render_page(hostile(inspection_result))
    assert "<img" not in html and "window.hacked=1</script>" not in html
    assert not set("\u202e\x00\ud800") & set(html)
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.S).group(1))
    assert [text.count(SHOWN) for text in data["texts"]] == [2, 0, 1, 0]
    assert data["tokens"][0] == EVIL.split("\u202e")[0] + SHOWN + "<!--"


def test_a_page_of_two_thousand_tokens_is_below_a_megabyte(inspection_result):
    random = Random(0)
    tokens = [f"w{random.randrange(3000)}" for _ in range(2000)]
    advantage = {name: [random.gauss(0, 3) for _ in tokens] for name in ("one", "another", "third")}

    def top():
        return [[f"w{random.randrange(30_000)}", random.random() / 5] for _ in range(5)]

    result = inspection_result(tokens, [1] * 2000, advantage, 1, student_top=[top() for _ in tokens])
    for context in result["contexts"].values():
        context["teacher_top"] = [top() for _ in tokens]
        for key in ("expected_advantage", "logit_push", "gradient_share"):
            context[key] = [random.gauss(0, 1) for _ in tokens]
    assert len(render_page(result).encode()) < 1_000_000


# In the browser.

WITHOUT_SECOND_LINES = (
    "e => { const c = e.cloneNode(true); c.querySelectorAll('rt').forEach(r => r.remove()); return c.textContent; }"
)

browser_test = [pytest.mark.browser, pytest.mark.slow]


def open_page(browser, result, path, width=1280):
    write_page(result, path)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(Path(path).resolve().as_uri())
    wait(
        browser, "return document.documentElement.dataset.ready === 'true' && !!document.querySelector('svg .area-up')"
    )


def wait(browser, condition, timeout_s=30):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, timeout_s, poll_frequency=0.02).until(lambda d: d.execute_script(condition))


class TestInTheBrowser:
    pytestmark = browser_test

    def test_it_opens_without_error_and_without_network(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
        assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []

    def test_tokens_areas_and_the_first_wrong_step(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        texts = "return [...document.querySelectorAll('.tokens')].map(WITHOUT_SECOND_LINES)"
        texts = texts.replace("WITHOUT_SECOND_LINES", WITHOUT_SECOND_LINES)
        assert browser.execute_script(texts) == ["".join(inspection_result()["tokens"])] * 2
        assert browser.execute_script("return document.querySelectorAll('svg .dash').length") == 2
        wrong = "return [...document.querySelectorAll('.first-wrong')].map(e => e.textContent)"
        assert browser.execute_script(wrong) == ["4", "4"]
        assert browser.execute_script("return document.querySelectorAll('svg .clip').length") == 1, "-8 is beyond 5"
        assert (
            browser.execute_script(
                "return document.querySelectorAll('.tokens')[0].querySelectorAll('.up.signed').length"
            )
            == 2
        )

    def test_what_would_be_written_stands_below_the_token_without_pointing(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        lines = "return [...document.querySelectorAll('.tokens')[0].querySelectorAll('ruby')].map(r => r.innerText)"
        assert browser.execute_script(lines) == ["1=6\ncarry 90 %"]
        box = "document.querySelector('.tokens rt').getBoundingClientRect()"
        token = "document.querySelector('.tokens ruby span').getBoundingClientRect()"
        assert browser.execute_script(f"return {box}.top >= {token}.bottom && {box}.left === {token}.left")
        copied = """const maps = document.querySelectorAll('.tokens'), clipboardData = new DataTransfer();
            getSelection().selectAllChildren(maps[0]);
            maps[0].dispatchEvent(new ClipboardEvent('copy', { clipboardData, bubbles: true, cancelable: true }));
            return clipboardData.getData('text/plain');"""
        assert browser.execute_script(copied) == "".join(inspection_result()["tokens"]), "copied is the response alone"

    def test_pointing_and_arrow_keys_show_what_either_model_would_write(self, browser, inspection_result, tmp_path):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        open_page(browser, inspection_result(), tmp_path / "a.html")
        cards = "return [...document.querySelectorAll('.card')].map(c => c.innerText.split('\\n').filter(Boolean))"
        first, other = browser.execute_script(cards)
        assert first[0] == "Token 10 of 11, step 2: 1=6. A_t −8.00 nats; student 37 %, self-teacher < 0.1 %."
        assert first[1:8] == ["The student would write", "1=6", "50 %", "␣carry", "30 %", "↵", "20 %"]
        assert first[8:] == ["The self-teacher under aligned", "␣carry", "90 %", "␣carry", "6.0 %", "↵", "4.0 %"]
        assert other[0] == "Token 10 of 11, step 2: 1=6. A_t −3.00 nats; student 37 %, self-teacher 1.8 %."

        def told():
            script = "return [...document.querySelectorAll('.told')].map(e => Number(e.dataset.token))"
            assert [card[0].split()[1] for card in browser.execute_script(cards)] == [
                str(i + 1) for i in browser.execute_script(script)
            ]
            return browser.execute_script(script)

        assert told() == [9, 9]
        maps = browser.find_elements("css selector", ".tokens")
        ActionChains(browser).move_to_element(maps[0].find_element("css selector", "[data-token='2']")).perform()
        assert told() == [2, 2]
        ActionChains(browser).move_to_element(browser.find_element("css selector", "h1")).perform()
        assert told() == [9, 9]
        browser.execute_script("document.querySelectorAll('.tokens')[1].focus()")
        for keys, expected in ((Keys.ARROW_LEFT, 8), (Keys.ARROW_RIGHT * 5, 10)):
            ActionChains(browser).send_keys(keys).perform()
            assert told() == [expected, expected]
        for keys, expected in ((Keys.ARROW_LEFT, 9), (Keys.ARROW_LEFT * 2, 3), (Keys.ARROW_RIGHT, 7)):
            ActionChains(browser).key_down(Keys.SHIFT).send_keys(keys).key_up(Keys.SHIFT).perform()
            assert told() == [expected, expected], "the next with a second line"
        maps[0].find_element("css selector", "[data-token='4']").click()
        ActionChains(browser).move_to_element(browser.find_element("css selector", "h1")).perform()
        assert told() == [4, 4]
        browser.execute_script(
            "const s = document.querySelector('#signal-controls select');"
            "s.value = '10'; s.dispatchEvent(new Event('change'));"
        )
        assert told() == [4, 4], "another scale keeps the token"

    def test_a_result_without_alternatives(self, browser, inspection_result, tmp_path):
        result = inspection_result()
        del result["student_top"]
        for context in result["contexts"].values():
            del context["teacher_top"], context["expected_advantage"]
        open_page(browser, result, tmp_path / "a.html")
        assert browser.execute_script("return document.querySelectorAll('ruby, .top').length") == 0
        assert browser.execute_script("return document.querySelector('.card').innerText").startswith("Token 1 of 11")
        assert "would most likely have written" not in browser.execute_script("return document.body.innerText")

    def test_the_scale_changes_all_maps(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        browser.execute_script(
            "const s = document.querySelector('#signal-controls select');"
            "s.value = '10'; s.dispatchEvent(new Event('change'));"
        )
        ends = (
            "[...document.querySelectorAll('#signal-maps svg .axis text:first-of-type')].map(t => t.textContent).join()"
        )
        wait(browser, f"return {ends} === '+10,+10'")
        assert browser.execute_script("return document.querySelectorAll('svg .clip').length") == 0

    def test_prompts_end_at_a_marked_boundary(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        prompts = browser.execute_script(
            "return [...document.querySelectorAll('#prompts pre')]"
            ".map(p => [p.firstChild.textContent, p.querySelector('.boundary').textContent])"
        )
        response = "".join(inspection_result()["tokens"])
        assert prompts == [["problem", response], ["problem and context", response], ["problem and context", response]]

    def test_every_token_is_in_the_table(self, browser, inspection_result, tmp_path):
        open_page(browser, inspection_result(), tmp_path / "a.html")
        browser.find_element("css selector", "#signal-maps > details summary").click()
        wait(browser, "return document.querySelectorAll('#signal-maps > details tbody tr').length === 11")
        text = "return document.querySelectorAll('#signal-maps > details tbody tr')[9].innerText"
        assert browser.execute_script(text).split("\t") == ['"1=6"', "2", "−8.00", "−3.00"]

    def test_hostile_output_neither_runs_nor_hides(self, browser, inspection_result, tmp_path):
        open_page(browser, hostile(inspection_result), tmp_path / "a.html")
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        wait(browser, "return document.querySelectorAll('#signal-maps > details tbody tr').length === 4")
        assert browser.execute_script("return window.hacked") is None
        strange = "return document.querySelectorAll('img, iframe, body style, svg[onload]').length"
        assert browser.execute_script(strange) == 0
        text = browser.execute_script("return document.body.textContent")
        assert browser.execute_script("return document.querySelector('.tokens rt').textContent").count(SHOWN) == 1
        assert "__proto__" in browser.execute_script("return document.querySelector('.card').textContent")
        assert text.count(SHOWN) > 10 and not set("\u202e\x00\ud800") & set(text)
        assert browser.execute_script("return document.querySelectorAll('.tokens').length") == 2
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []

    def test_a_million_characters(self, browser, inspection_result, tmp_path):
        tokens = ["é😀abc"] * 200_000
        result = inspection_result(
            tokens, [1] * 200_000, {"one": [0.5] * 199_999 + [-3.0]}, None, student_prompt="x" * 10**6
        )
        open_page(browser, result, tmp_path / "a.html")
        load = browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
        assert load < 10_000
        assert browser.execute_script("return document.querySelectorAll('.tokens span').length") == 3000
        more = "document.querySelector('#signal-maps figure > button')"
        assert browser.execute_script(f"return {more}.textContent") == "Show more: 197,000 tokens are left"
        browser.execute_script(f"{more}.click()")
        assert browser.execute_script("return document.querySelectorAll('.tokens span').length") == 6000
        low = "document.querySelector('.area-down').getBBox()"
        assert browser.execute_script(f"return {low}.height") == pytest.approx(0.6 * 58, abs=1), (
            "the one token in 200,000"
        )
        button = "document.querySelector('#prompts button')"
        browser.execute_script(f"while (!{button}.hidden) {button}.click();")
        length = "return document.querySelector('#prompts pre').firstChild.parentElement.textContent.length"
        assert browser.execute_script(length) > 10**6

    def test_it_is_reached_by_keyboard(self, browser, inspection_result, tmp_path):
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        open_page(browser, inspection_result(), tmp_path / "a.html")
        browser.execute_script(
            """const all = document.querySelectorAll('a[href], button:not([hidden]), select, summary, [tabindex="0"]');
               window.wanted = new Set([...all].filter(e => e.checkVisibility()));
               document.addEventListener('focusin', e => window.wanted.delete(e.target));"""
        )
        for _ in range(3):
            ActionChains(browser).send_keys(Keys.TAB * 10).perform()
        assert browser.execute_script("return [...window.wanted].map(e => e.outerHTML.slice(0, 120))") == []

    @pytest.mark.parametrize("width", [400, 1280])
    def test_nothing_is_wider_than_the_window(self, browser, inspection_result, tmp_path, width):
        for result in (inspection_result(), hostile(inspection_result)):
            open_page(browser, result, tmp_path / "a.html", width)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_axe_finds_no_violation(self, browser, inspection_result, tmp_path, scheme):
        axe = os.environ.get("STEPALIGN_AXE")
        if not axe:
            pytest.skip("set STEPALIGN_AXE to the path of axe.min.js (npm pack axe-core)")
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        open_page(browser, inspection_result(), tmp_path / "a.html")
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        browser.execute_script(Path(axe).read_text(encoding="utf-8"))
        result = browser.execute_async_script("axe.run().then(arguments[0])")
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        assert [(v["id"], [n["html"][:160] for n in v["nodes"]][:3]) for v in result["violations"]] == []

    def test_dark_mode(self, browser, inspection_result, tmp_path):
        colours = {}
        for scheme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            open_page(browser, inspection_result(), tmp_path / "a.html")
            colours[scheme] = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        assert colours["light"] != colours["dark"]


@pytest.mark.browser
@pytest.mark.slow
def test_the_response_stands_beside_its_contexts_with_the_critique(browser, inspection_result, tmp_path):
    critique = {"case": "D", "first_wrong_step": 2, "steps": [{"text": "2+2=4", "origin": "copied"}], "verified": True}
    critique |= {"source": "openai:QwQ", "reply": '<think>It forgets.</think>{"case": "D"}'}
    result = inspection_result(critique=critique)
    result["contexts"]["aligned"]["context"] = "<step_1>2+2=4</step_1>\n<step_2>4+1=5</step_2>"
    open_page(browser, result, tmp_path / "a.html")

    def texts(selector):
        return browser.execute_script(
            f"return [...document.querySelectorAll('#contexts {selector}')].map(e => e.textContent)"
        )

    assert texts("figcaption")[:3] == ["Trace", "Context: aligned", "Context: other"]
    assert texts(".pair figure:nth-child(1) .copied")[0] == "2+2=4" == texts(".pair figure:nth-child(2) .copied")[0]
    assert texts(".pair figure:nth-child(1) mark") == ["4+1=6"]
    assert texts("mark.changed") == ["4+1=5"]
    assert texts(".facts dd")[0] == "case D, first wrong step 2, verified, by openai:QwQ"
    assert texts("details pre") == [critique["reply"]]
    open_page(browser, inspection_result(), tmp_path / "b.html")  # nobody critiqued
    assert texts(".facts") == texts("details") == [] and texts("figcaption")[0] == "Trace"


@pytest.mark.browser
@pytest.mark.slow
def test_tokens_are_coloured_by_what_is_chosen(browser, inspection_result, tmp_path):
    result = inspection_result()
    for context in result["contexts"].values():
        context |= {"logit_push": [0.25] * 11, "gradient_share": [0.0] * 10 + [0.5]}
    open_page(browser, result, tmp_path / "a.html")

    def text(selector):
        return browser.execute_script("return document.querySelector(arguments[0]).textContent", selector)

    names = "return [...document.querySelectorAll('#signal-controls select')[1].options].map(o => o.textContent)"
    assert browser.execute_script(names) == ["A_t", "Expected A_t", "Push on the logit", "Share of the gradient"]
    down = "return document.querySelectorAll('.tokens .down').length"
    assert browser.execute_script(down) > 0 and "suppressed" in text(".scale")
    choose(browser, "Colour by", "gradient_share")
    assert browser.execute_script(down) == 0 and "±10 %" in text("#scale-control")
    browser.execute_script("document.querySelector('.tokens [data-token=\"10\"]').click()")
    assert text(".card .status").endswith("Share of the gradient: +50.00 %.") and "A_t +0.00 nats" in text(
        ".card .status"
    )
    assert "Table and files: Share of the gradient of every token" in text("#signal-maps")
    choose(browser, "Colour by", "advantage")
    assert "A_t of every token" in text("#signal-maps") and "Share" not in text(".card .status")
    colour = "return getComputedStyle(document.documentElement).getPropertyValue('--positive-line').trim()"
    before = browser.execute_script(colour)
    choose(browser, "Palette", "paper")
    assert (before, browser.execute_script(colour)) == (COLOURS["safe"].up_line, COLOURS["paper"].up_line)
    write_page(result, tmp_path / "p.html", "paper")
    browser.get((tmp_path / "p.html").resolve().as_uri())
    assert browser.execute_script(colour) == COLOURS["paper"].up_line
