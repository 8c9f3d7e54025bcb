"""What is handed out: the sdist, the wheel made from it, and that the wheel holds all that the commands need."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = [
    *("--conditions", "stepalign", "--max_steps", "1", "--save_steps", "1", "--num_samples", "1"),
    *("--per_device_train_batch_size", "2", "--micro_num_train", "4", "--micro_num_validation", "1"),
    *("--micro_num_test", "2", "--max_completion_length", "60", "--probe_steps", "0", "--output_dir", "run"),
]

pytestmark = pytest.mark.slow


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The directory of both; the wheel is built from the sdist, which so holds all that it takes."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT)
    return out


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The commands of an environment with the wheel and, of everything else, what this one has."""
    home = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(home, with_pip=False)
    bin = home / ("Scripts" if os.name == "nt" else "bin")
    (wheel,) = built.glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", bin / "python", "install", "--no-deps", "--no-index", wheel)
    (site,) = home.rglob("site-packages")
    others = [path for path in sys.path if path.endswith("site-packages")]
    (site / "others.pth").write_text("\n".join(others))  # a path added so brings no editable installs with it
    return bin


def test_the_index_takes_both(built):
    (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    shown = run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    assert shown.count("PASSED") == 2


def test_the_wheel_holds_every_file_of_the_package(built):
    (wheel,) = built.glob("*.whl")
    there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "src" / "stepalign"
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert there == {path.relative_to(package.parent).as_posix() for path in files}


def test_the_sdist_holds_what_its_tests_and_pages_need(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = ("README.md", "LICENSE", "pyproject.toml", "Makefile", "tests/conftest.py", "docs/tutorial.md")
    assert names >= {*needed, "examples/self_distillation.py", "scripts/install.sh", "constraints.txt"}


def test_the_wheel_alone_trains_compares_and_reports(installed, tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "STEPALIGN_CACHE": str(tmp_path)}
    environment.pop("PYTHONPATH", None)
    where = run(installed / "python", "-c", "import stepalign; print(stepalign.__file__)", env=environment)
    assert Path(where.strip()).is_relative_to(installed.parent)
    run(installed / "stepalign", "compare", *SMALL, cwd=tmp_path, env=environment)
    assert "stepalign" in (tmp_path / "run" / "report.html").read_text()
