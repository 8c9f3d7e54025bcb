"""The reports of every command's directory in headless Chromium, opened from disk with the network blocked."""

import os
from pathlib import Path

import pytest

from stepalign.report.write import write_report

from .comparison.test_browser import requests, wait
from .directories import WRITERS, write

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = (
    "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1><svg onload=window.hacked=1>"
    '<iframe src="javascript:parent.hacked=1"></iframe>" onmouseover="window.hacked=1" {{7*7}}\u202egnp\u2066\x00<!--'
)
UNSAFE = "[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Two pages of each command: an ordinary one and one in which every text is an attack."""
    top = tmp_path_factory.mktemp("pages")
    return {
        command: [write_report(write(command, top / name / command, text)) for name, text in (("a", None), ("b", EVIL))]
        for command in WRITERS
    }


def open_page(browser, path, width=1280):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get("about:blank")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(Path(path).resolve().as_uri())
    wait(browser, "return document.documentElement.dataset.ready === 'true'")
    has_browser = browser.execute_script("return !!document.getElementById('rollout-browser')")
    if has_browser:
        wait(browser, "return !!document.querySelector('.detail h3')")
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("command", WRITERS)
def test_it_opens_without_error_network_or_overflow(browser, pages, command):
    for path in pages[command]:
        for width in (1280, 400):
            open_page(browser, path, width)
            assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
            assert [url for url in requests(browser) if not url.startswith(("file:", "data:"))] == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("command", WRITERS)
def test_hostile_output_neither_runs_nor_hides(browser, pages, command):
    open_page(browser, pages[command][1])
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script("return document.querySelectorAll('img, iframe, svg[onload]').length") == 0
    assert browser.execute_script(f"return {UNSAFE}") is False
    text = browser.execute_script("return document.body.textContent")
    assert "⟨U+202E⟩gnp⟨U+2066⟩⟨U+0000⟩" in text and not set("\u202e\u2066\x00") & set(text)


@pytest.mark.parametrize("command", sorted({*WRITERS} - {"curate"}))
def test_what_the_browser_filters_is_what_it_lists(browser, pages, command):
    open_page(browser, pages[command][0])
    listed = "return document.querySelector('#rollout-browser [role=status]').textContent"
    before = browser.execute_script(listed)
    browser.execute_script(
        "const select = document.querySelector('#rollout-controls select'); select.selectedIndex = 1;"
        "window.wanted = select.options[1].textContent.match(/\\((.*)\\)/)[1];"
        "select.dispatchEvent(new Event('change'));"
    )
    wait(browser, f"{listed} !== '{before}'")
    assert browser.execute_script(listed).startswith(browser.execute_script("return window.wanted + ' of '"))


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser, pages, command, scheme):
    axe = os.environ.get("STEPALIGN_AXE")
    if not axe:
        pytest.skip("set STEPALIGN_AXE to the path of axe.min.js (npm pack axe-core)")
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    open_page(browser, pages[command][0])
    browser.execute_script(Path(axe).read_text(encoding="utf-8"))
    result = browser.execute_async_script("axe.run().then(arguments[0])")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert [(v["id"], v["impact"], [n["html"][:160] for n in v["nodes"]][:3]) for v in result["violations"]] == []
