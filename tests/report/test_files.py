"""What the pages save and copy: pictures as SVG and PNG, numbers as CSV; in headless Chromium."""

import base64
import csv
import io
import xml.etree.ElementTree as ElementTree

import pytest

from stepalign.report.inspection.page import write_page
from stepalign.report.write import write_report

from .comparison.synthetic_run import write_run
from .comparison.test_browser import open_report, wait
from .directories import write
from .test_browser import open_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Keeps what is saved or copied, instead of a file or the clipboard.
KEEP = """window.kept = {};
  URL.createObjectURL = blob => { window.lastBlob = blob; return 'data:,'; };
  HTMLAnchorElement.prototype.click = function () {
    const name = this.download, reader = new FileReader();
    reader.onload = () => { window.kept[name] = reader.result.split(',')[1]; };
    reader.readAsDataURL(window.lastBlob); };
  Object.defineProperty(navigator, 'clipboard', { value: { writeText: async text => { window.copied = text; } } });"""


def files_of(browser, host, picture=None):
    """Presses every button of a chart's files; what was saved by the end of its name, and what was copied."""
    browser.execute_script(KEEP)
    browser.execute_script(f"document.querySelector({host!r} + ' > details').open = true")
    wait(browser, f"return !!document.querySelector({host!r} + ' .save button')")
    if picture is not None:
        browser.execute_script(
            "const s = [...document.querySelectorAll(arguments[0] + ' .save select option')]"
            ".find(o => o.textContent === arguments[1]); s.parentElement.value = s.value;"
            "s.parentElement.dispatchEvent(new Event('change'));",
            host,
            picture,
        )
    copied = {}
    for name in ("Save SVG", "Save PNG", "Save CSV", "Copy SVG", "Copy CSV"):
        browser.execute_script(
            "[...document.querySelectorAll(arguments[0] + ' .save button')]"
            ".find(b => b.textContent === arguments[1]).click()",
            host,
            name,
        )
        if name.startswith("Copy"):
            said = f"{name[5:]} copied."
            wait(browser, f"return document.querySelector({host!r} + ' .save [role=status]').textContent === '{said}'")
            copied[name] = browser.execute_script("return window.copied")
    wait(browser, "return Object.keys(window.kept).length === 3")
    kept = browser.execute_script("return window.kept")
    return {name: base64.b64decode(of) for name, of in kept.items()}, copied


def table(text):
    return list(csv.reader(io.StringIO(text)))


def test_a_bar_chart_as_files(browser, tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=20)
    open_report(browser, write_report(run))
    wait(browser, "return !!document.querySelector('#summary figure svg')")
    kept, copied = files_of(browser, "#summary figure")
    (svg_name,) = [name for name in kept if name.endswith(".svg")]
    assert svg_name == "Where-the-signal-falls-mean-A_t.svg"
    picture = ElementTree.fromstring(kept[svg_name])
    texts = [node.text for node in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"stepalign", "correct steps", "first wrong step"} <= set(texts)
    bars = [r for r in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert any(bar.get("fill") == "rgb(241, 163, 64)" for bar in bars), "styles stand in the picture itself"
    assert not any("class" in node.attrib for node in picture.iter())
    (png,) = [of for name, of in kept.items() if name.endswith(".png")]
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20]) == pytest.approx(2 * float(picture.get("width")), abs=1)
    head, *rows = table(copied["Copy CSV"])
    assert head == ["group", "label", "nats", "low", "high"] and len(rows) == 4
    assert [row[1] for row in rows[:2]] == ["correct steps", "first wrong step"] and float(rows[1][2]) < 0
    assert kept["Where-the-signal-falls-mean-A_t.csv"].decode() == copied["Copy CSV"]
    assert copied["Copy SVG"].encode() == kept[svg_name]


def test_a_curve_as_files(browser, tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=20)
    open_report(browser, write_report(run))
    wait(browser, "return !!document.querySelector('#accuracy-charts figure:nth-child(3) svg')")
    kept, copied = files_of(browser, "#accuracy-charts figure:nth-child(3)")
    head, *rows = table(copied["Copy CSV"])
    assert head == ["condition", "run", "step", "step", "avg@12", "low", "high"]
    assert rows[1][:3] == ["grpo", "1", "10"] and float(rows[1][4]) == 0.21
    (text,) = [of for name, of in kept.items() if name.endswith(".svg")]
    texts = [node.text for node in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == ["avg@12 on test problems", "grpo", "refsol", "stepalign"]


@pytest.mark.parametrize("picture", ["Tokens under aligned", "A_t over position under other"])
def test_a_token_map_as_files(browser, inspection_result, tmp_path, picture):
    result = inspection_result()
    write_page(result, tmp_path / "a.html")
    open_page(browser, tmp_path / "a.html")
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = false)")
    wait(browser, "return document.querySelectorAll('svg[data-advantages]').length === 2")
    kept, copied = files_of(browser, "#signal-maps", picture)
    (text,) = [of for name, of in kept.items() if name.endswith(".svg")]
    drawn = ElementTree.fromstring(text)
    if picture.startswith("Tokens"):
        pieces = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
        whole = "".join(result["tokens"]).replace("\n", "↵")
        assert pieces[0] == "Context: aligned" and "".join(pieces[1:-1]) == whole.replace(" ", "")
    else:
        assert drawn.get("viewBox").startswith("0 0 ")
    head, *rows = table(copied["Copy CSV"])
    assert head == ["token", "text", "step", "aligned", "other"]
    assert rows[9] == ["9", '"1=6"', "2", "-8", "-3"] and rows[6][1] == '"\\n<step_2>"' and len(rows) == 11


def test_hostile_text_in_files(browser, tmp_path):
    from .test_browser import EVIL

    open_page(browser, write_report(write("localize", tmp_path / "localized", EVIL)))
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = false)")
    wait(browser, "return document.querySelectorAll('svg[data-advantages]').length >= 2")
    kept, copied = files_of(browser, "#signal-maps .probe")
    assert browser.execute_script("return window.hacked") is None
    (text,) = [of for name, of in kept.items() if name.endswith(".svg")]
    names = {node.tag.split("}")[1] for node in ElementTree.fromstring(text).iter()}
    assert names <= {"svg", "rect", "g", "text", "line", "path", "title"}
    assert all(name.count(".") == 1 and not set(name) & set('/\\<>"') for name in kept)
    assert all(row[1].startswith('"') for row in table(copied["Copy CSV"])[1:]), "no cell is a formula"


def test_the_buttons_are_reached_by_keyboard(browser, inspection_result, tmp_path):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    write_page(inspection_result(), tmp_path / "a.html")
    open_page(browser, tmp_path / "a.html")
    browser.execute_script(KEEP)
    wait(browser, "return !!document.querySelector('#signal-maps .save button')")
    browser.execute_script("document.querySelector('#signal-maps > details > summary').focus()")
    ActionChains(browser).send_keys(Keys.TAB * 6, Keys.ENTER).perform()
    wait(browser, "return document.querySelector('#signal-maps .save [role=status]').textContent === 'CSV copied.'")
    assert browser.execute_script("return window.copied").startswith("token,text,step,aligned,other\r\n")
