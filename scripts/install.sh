#!/bin/sh
# Make the virtual environment and install into it. On Linux without an NVIDIA GPU the CPU build of torch is taken where
# an index or a wheel directory offers one: it is a tenth of the size.
set -eu
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "stepalign needs Python 3.11 or newer; $PYTHON is $("$PYTHON" --version 2>&1). Try: make setup PYTHON=python3.12" >&2
  exit 2
}
echo "Installing into $VENV (a few minutes the first time) ..."
"$PYTHON" -m venv "$VENV"
pip="$VENV/bin/python -m pip --quiet --disable-pip-version-check"
torch=$(grep '^torch==' constraints.txt)
if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then
  $pip install "$torch" --extra-index-url https://download.pytorch.org/whl/cpu 2>/dev/null || $pip install "$torch"
fi
$pip install --constraint constraints.txt --editable '.[dev]'
