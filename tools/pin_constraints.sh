#!/usr/bin/env bash
# Writes constraints.txt: the newest versions, direct and transitive, that the whole repository installs with.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="$(mktemp -d)"
trap 'rm -rf "$venv"' EXIT

"${PYTHON:-python3}" -m venv "$venv"
plugins=()
for pyproject in plugins/*/pyproject.toml; do
  [ -e "$pyproject" ] && plugins+=(-e "$(dirname "$pyproject")")
done
"$venv/bin/python" -m pip install --quiet hatchling editables
"$venv/bin/python" -m pip install --quiet --no-build-isolation -e '.[worker,testing,dev]' "${plugins[@]}"
{
  echo '# Pinned by `make constraints`; names and versions only, so that any index can serve them.'
  "$venv/bin/python" -m pip freeze --exclude-editable
} > constraints.txt.new
mv constraints.txt.new constraints.txt
