import json

import pytest

from stepalign.report.page.text import clean, script_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("safe\u202etxt.exe", "safe⟨U+202E⟩txt.exe"),
        ("a\u2066b\u2069c\u200fd\u061c", "a⟨U+2066⟩b⟨U+2069⟩c⟨U+200F⟩d⟨U+061C⟩"),
        ("nul\x00 esc\x1b bell\x07 del\x7f", "nul⟨U+0000⟩ esc⟨U+001B⟩ bell⟨U+0007⟩ del⟨U+007F⟩"),
        ("half \ud83d pair", "half ⟨U+D83D⟩ pair"),
        ("hid\u200bden\ufeff\u00ad\U000e0041", "hid⟨U+200B⟩den⟨U+FEFF⟩⟨U+00AD⟩⟨U+E0041⟩"),
        ("line\u2028end\r\nnext\rover", "line⟨U+2028⟩end\nnext⟨U+000D⟩over"),
        ("😀 é שלום 50\u00a0%", "😀 é שלום 50\u00a0%"),
    ],
)
def test_invisible_characters_are_written_out(text, shown):
    assert visible(text) == shown


def test_clean_reaches_keys_lists_and_numbers():
    assert clean({"a\x00": [float("nan"), float("inf"), 1.5, True, None, ("\ud800",)]}) == {
        "a⟨U+0000⟩": [None, None, 1.5, True, None, ["⟨U+D800⟩"]]
    }


def test_script_json_cannot_close_its_element():
    value = {"text": "</script><!--<script>&amp;\u2028"}
    text = script_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == value
