"""The site builds without a warning, and its notebook runs again and shows what it is stored with."""

import os
import shutil
import subprocess
import sys

import pytest

from .pages import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Built from a copy, so that nothing is written beside the pages."""
    home, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", home / "docs", ignore=shutil.ignore_patterns("_build", "reference"))
    for name in ("src", "scripts", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks", "examples", "tests"):
        (home / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", str(home / "docs"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_site_has_its_pages_and_a_search(site):
    for page in ("index", "start", "tutorial", "which-feedback", "concepts", "faq", "changelog", "search", "notebook"):
        assert (site / f"{page}.html").is_file()
    assert (site / "searchindex.js").stat().st_size > 100_000


def test_every_command_has_a_page_and_every_public_name_an_entry(site):
    import stepalign
    from stepalign.cli.main import COMMANDS

    for command in COMMANDS:
        assert "usage: stepalign" in (site / "reference" / f"command-{command}.html").read_text()
    text = (site / "reference" / "python.html").read_text()
    missing = {name for name in stepalign.__all__ if f'id="stepalign.{name}"' not in text}
    assert missing <= {"inspect", "report"}  # another name of inspect_case, and a room that can be called


def test_the_notebook_shows_what_it_computes(tmp_path, monkeypatch):
    """Executed anew, with the texts of its results as they are stored, but for digits."""
    import nbformat
    from nbclient import NotebookClient

    for name in ("PYTHONPATH", "OMP_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    stored = nbformat.read(NOTEBOOK, as_version=4)
    again = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(again, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    for before, after in zip(stored.cells, again.cells, strict=True):
        if before.cell_type == "code":
            assert shape(before) and shape(before) == shape(after), before.source


def shape(cell):
    """The kinds of a cell's results, and their words without numbers."""
    shown = [output.data for output in cell.outputs if output.output_type == "execute_result"]
    texts = ["".join(c for c in data["text/plain"] if not (c.isdigit() or c in " +-.\n")) for data in shown]
    return [sorted(data) for data in shown], texts
