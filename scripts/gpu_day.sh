#!/bin/sh
# Measurements on a GPU that is there for minutes at a time and has no network: docs/gpu.md.
#   sh scripts/gpu_day.sh pack | unpack | run [PART ...] | report DIR
# PYTHON says which interpreter; otherwise it is .venv's, or python3 where there is no .venv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
if [ -z "${PYTHON:-}" ]; then
  PYTHON=python3
  [ ! -x "$root/.venv/bin/python" ] || PYTHON=$root/.venv/bin/python
fi
PYTHONPATH=$root/.gpu_day/site-packages:$root/src:$root${PYTHONPATH:+:$PYTHONPATH}
PYTHONUNBUFFERED=1
export PYTHONPATH PYTHONUNBUFFERED
exec "$PYTHON" -m scripts.gpu_day "$@"
