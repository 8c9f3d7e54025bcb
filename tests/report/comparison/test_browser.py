"""The report in headless Chromium, opened from disk with the network blocked."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest

from stepalign.report.write import write_report

from .synthetic_run import probe, write_probes, write_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg onload=window.hacked=1>"
    '<iframe src="javascript:parent.hacked=1"></iframe>" onmouseover="window.hacked=1" {{7*7}} `${window.hacked=1}`'
    "<style>*{display:none}</style>\u202egnp\u2066\x00\ud800\u200b<!--"
)
SHOWN = "⟨U+202E⟩gnp⟨U+2066⟩⟨U+0000⟩\ufffd⟨U+200B⟩"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = write_run(tmp_path_factory.mktemp("runs") / "run", seeds=("0", "1"), num_rollouts=300)
    write_probes(path / "conditions/stepalign/seed_0", "stepalign")
    return write_report(path)


def open_report(browser, path, width=1280):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(Path(path).resolve().as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true' && !!document.querySelector('.detail h3')")


def wait(browser, condition, timeout_s=20):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, timeout_s, poll_frequency=0.02).until(lambda d: d.execute_script(condition))


def requests(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def status(browser):
    return browser.execute_script("return document.querySelector('#rollout-browser [role=status]').textContent")


def choose(browser, label, value):
    browser.execute_script(
        "const s = [...document.querySelectorAll('label.field')].find(l => l.firstChild.textContent === arguments[0])"
        ".querySelector('select'); s.value = arguments[1]; s.dispatchEvent(new Event('change'));",
        label,
        value,
    )


def test_it_opens_without_error_and_without_network(browser, report):
    open_report(browser, report)
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert [url for url in requests(browser) if not url.startswith(("file:", "data:"))] == []
    assert browser.execute_script("return document.querySelectorAll('#accuracy-charts svg .line').length") > 0
    assert status(browser) == "1,800 of 1,800 rollouts"


def test_the_axis_switches(browser, report):
    open_report(browser, report)
    label = "return document.querySelector('#accuracy-charts svg').getAttribute('aria-label')"
    assert "against steps" in browser.execute_script(label)
    browser.find_element("css selector", "input[value=num_generated_tokens]").click()
    assert "against generated tokens" in browser.execute_script(label)
    browser.find_element("css selector", "input[value=wall_s]").click()
    browser.find_element("css selector", "input[value=validation]").click()
    assert "validation problems against wall time" in browser.execute_script(label)


def test_every_chart_has_a_table_with_its_numbers(browser, report):
    open_report(browser, report)
    assert browser.execute_script(
        "return [...document.querySelectorAll('svg[role=img]')]"
        ".every(s => s.closest('.probe, figure[data-bars], #curves figure').querySelector('details'))"
        " && [...document.querySelectorAll('.probe')].every(p => p.querySelector('details'))"
    )
    browser.find_element("css selector", "#accuracy-charts figure:nth-child(3) summary").click()
    wait(browser, "return !!document.querySelector('#accuracy-charts figure:nth-child(3) td')")
    text = browser.find_element("css selector", "#accuracy-charts figure:nth-child(3) table").text
    assert "grpo (1) 10 10 21.0 % 14.0 % to 28.0 %" in text


def test_token_maps_show_the_first_wrong_step_and_one_scale(browser, report):
    open_report(browser, report)
    assert browser.execute_script("return document.querySelectorAll('.dash').length") == 4
    assert browser.execute_script("return document.querySelectorAll('.first-wrong').length") == 4
    assert browser.execute_script("return document.querySelectorAll('.tokens .down.signed').length") > 0
    choose(browser, "Scale", "2")
    ends = "return [...document.querySelectorAll('#signal-maps svg .axis text:first-of-type')].map(t => t.textContent)"
    wait(browser, "return document.querySelectorAll('#signal-maps svg').length === 6")
    assert set(browser.execute_script(ends)) == {"+2"}


def test_rollouts_can_be_filtered_searched_and_read(browser, report):
    open_report(browser, report)
    choose(browser, "Condition", "stepalign")
    choose(browser, "Critique case", "D")
    wait(browser, "return !document.querySelector('#rollout-browser [role=status]').textContent.startsWith('1,800')")
    found = status(browser)
    box = browser.find_element("css selector", "input[type=search]")
    box.send_keys("TRAIN-17")
    wait(browser, f"return document.querySelector('#rollout-browser [role=status]').textContent !== '{found}'")
    browser.find_element("css selector", "[data-rollout]").click()
    wait(browser, "return document.querySelector('.detail h3').textContent.includes('train-17')")
    detail = browser.find_element("css selector", ".detail").text
    assert "case D, first wrong step" in detail and "rewritten" in detail and "<answer>" in detail
    assert browser.execute_script("return document.querySelectorAll('.detail pre mark').length") == 1


def test_wrong_rollouts_whose_critique_changed_a_step_are_three_choices_away(browser, report):
    open_report(browser, report)
    choose(browser, "Condition", "stepalign")
    choose(browser, "Step", "1")
    cell = "document.querySelector('.cross [data-cell=\"wrong step 2\"]')"
    number = browser.execute_script(f"return Number({cell}.textContent)")
    browser.execute_script(f"{cell}.click()")
    assert 0 < number < 300 and status(browser) == f"{number} of 1,800 rollouts"
    chosen = [
        browser.execute_script(
            "return [...document.querySelectorAll('label.field')].find(l => l.firstChild.textContent === arguments[0])"
            ".querySelector('select').value",
            label,
        )
        for label in ("Condition", "Step", "Grade", "Critique changed")
    ]
    assert chosen == ["stepalign", "1", "wrong", "step 2"]
    assert browser.execute_script(f"return {cell} === document.activeElement && {cell}.ariaPressed") == "true"
    browser.execute_script(f"{cell}.click()")  # once more lifts both
    assert browser.execute_script(f"return {cell}.ariaPressed") == "false"
    choose(browser, "Critique changed", "step 2")
    choose(browser, "Grade", "wrong")
    assert status(browser) == f"{number} of 1,800 rollouts"


def test_every_control_is_reached_by_keyboard(browser, report):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    open_report(browser, report)
    total = browser.execute_script(
        """const controls = 'a[href], button:not(:disabled), select, input, summary, [tabindex="0"]';
           const all = [...document.querySelectorAll(controls)]
             .filter(e => e.checkVisibility() && (e.type !== 'radio' || e.checked));
           window.wanted = new Set(all);
           document.addEventListener('focusin', e => window.wanted.delete(e.target));
           return all.length;"""
    )
    for _ in range(total // 20 + 2):
        ActionChains(browser).send_keys(Keys.TAB * 20).perform()
    assert browser.execute_script("return [...window.wanted].map(e => e.outerHTML.slice(0, 120))") == []

    browser.execute_script("document.querySelector('input[value=step]').focus()")
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    assert browser.execute_script("return document.querySelector('input[value=num_generated_tokens]').checked")
    browser.execute_script("document.querySelectorAll('[data-rollout]')[3].focus()")
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait(browser, "return document.querySelector('.detail h3').textContent.includes('train-3')")
    assert browser.execute_script("return document.activeElement.dataset.rollout") == "3"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run in which every text is an attack, one rollout has a million characters, and names are attacks too."""
    path = write_run(tmp_path_factory.mktemp("runs") / "run", num_rollouts=8)
    for condition in ("grpo", "stepalign"):
        seed = path / "conditions" / condition / "seed_0"
        row = {"step": 1, "problem_id": EVIL, "sample": EVIL, "text": EVIL, "num_tokens": 7, "finish_reason": EVIL}
        row |= {"grade": EVIL, "extracted": EVIL, "context": EVIL, "context_status": EVIL}
        row["critique"] = {"case": EVIL, "first_wrong_step": 1, "steps": [{"origin": EVIL}, None], "source": EVIL}
        rows = [row, row | {"text": "é😀" * 500_000, "context": "\u202e" * 30_000, "critique": EVIL}]
        (seed / "rollouts.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        (seed / "prompts.json").write_text(json.dumps({"student": EVIL, "teacher": EVIL}))
        (seed / "ledger.json").write_text(json.dumps({EVIL: EVIL, "num_rejected": {EVIL: 1}}))
        (seed / "metrics.jsonl").write_text(json.dumps({"step": 1, EVIL: 0.5, "wall_s": 1.0}) + "\n")
    signal = probe(random.Random(1), "wrong_step")
    signal |= {"kind": EVIL, "problem_id": EVIL, "tokens": [EVIL] * len(signal["tokens"])}
    signal["contexts"] = {EVIL: signal["contexts"]["refsol"]}
    scored = signal | {"text": EVIL, "sample": EVIL, "step": 1}
    (path / "signal.json").write_text(json.dumps({"rollouts": [signal, scored]}))
    name = EVIL.replace("/", "∕").replace("\x00", "").replace("\ud800", "")[:60]
    shutil.copytree(path / "conditions/refsol", path / "conditions" / name)
    (path / "problems/train.jsonl").write_text(json.dumps({"id": EVIL, "problem": EVIL, "answer": EVIL}) + "\n")
    (path / "environment.json").write_text(json.dumps({EVIL: EVIL}))
    return write_report(path)


def test_hostile_output_neither_runs_nor_hides(browser, hostile):
    open_report(browser, hostile)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script("return window.hacked") is None
    assert (
        browser.execute_script("return document.querySelectorAll('img, iframe, body style, body svg[onload]').length")
        == 0
    )
    handlers = "[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))"
    assert browser.execute_script(f"return {handlers}") is False
    assert browser.execute_script("return document.querySelectorAll('script:not([type])').length") == 1
    for place in (
        "#summary figure",
        ".detail",
        ".detail .tokens",
        "#signal-maps",
        "#prompts",
        "#critics",
        "#environment",
        "#training-control",
    ):
        text = browser.execute_script("return document.querySelector(arguments[0]).textContent", place)
        assert SHOWN in text.replace("⟨U+D800⟩", "\ufffd"), place  # rows lose half pairs when read
    assert not set("\u202e\u2066\x00\u200b") & set(browser.execute_script("return document.body.textContent"))
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_a_million_characters_can_be_read_to_the_end(browser, hostile):
    open_report(browser, hostile)
    browser.find_element("css selector", "[data-rollout='1']").click()
    length = "return document.querySelector('.detail pre').textContent.length"
    wait(browser, length.replace("return ", "return 10000 < ") + " && !document.querySelector('.detail button').hidden")
    assert "1,4" in browser.execute_script("return document.querySelector('.detail button').textContent")
    browser.execute_script("const b = document.querySelector('.detail button'); while (!b.hidden) b.click();")
    assert browser.execute_script(length) == 1_500_000
    assert (
        browser.execute_script("return document.querySelector('.detail pre').textContent.includes('\ufffd')") is False
    )


def test_twenty_thousand_rollouts_are_interactive_within_two_seconds(browser, tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=6_700)
    write_probes(run / "conditions/stepalign/seed_0", "stepalign", count=200)
    path = write_report(run)
    open_report(browser, path)
    assert status(browser) == "20,100 of 20,100 rollouts" and path.stat().st_size < 15e6
    scored = "[...document.querySelectorAll('label.field')].find(l => l.firstChild.textContent === 'Token by token')"
    assert "(200)" in browser.execute_script(f"return {scored}.textContent")
    times = browser.execute_script(
        "const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;"
        "const navigation = performance.getEntriesByType('navigation')[0];"
        "return [paint, navigation.domInteractive, navigation.loadEventEnd]"
    )
    print("first contentful paint, interactive, loaded [ms]:", times, "bytes:", path.stat().st_size)
    assert max(time for time in times if time is not None) < 2000
    took = browser.execute_async_script(
        """const done = arguments[0], start = performance.now();
           const status = document.querySelector('#rollout-browser [role=status]');
           new MutationObserver(() => status.textContent.startsWith('6,700') && done(performance.now() - start))
             .observe(status, { childList: true });
           const select = document.querySelector('#rollout-controls select');
           select.value = 'stepalign'; select.dispatchEvent(new Event('change'));"""
    )
    assert took < 500
    browser.find_element("css selector", "input[type=search]").send_keys("train-281")
    wait(browser, "return /^2[34] of/.test(document.querySelector('#rollout-browser [role=status]').textContent)")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(browser, report, hostile, width):
    for path in (report, hostile):
        open_report(browser, path, width)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(browser, report, scheme):
    axe = os.environ.get("STEPALIGN_AXE")
    if not axe:
        pytest.skip("set STEPALIGN_AXE to the path of axe.min.js (npm pack axe-core)")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    open_report(browser, report)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.execute_script(Path(axe).read_text(encoding="utf-8"))
    result = browser.execute_async_script("axe.run().then(arguments[0])")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    violations = [(v["id"], v["impact"], [n["html"][:160] for n in v["nodes"]][:3]) for v in result["violations"]]
    assert violations == []
