#!/usr/bin/env bash
# The demo: a shop whose orders keep coming, and a worker that moves them. Everything it writes lies under .kconnect/.
set -euo pipefail
cd "$(dirname "$0")/.."
shop=.kconnect/demo/shop.db

.venv/bin/python -m kconnect_datagen.shop "$shop" --rows 5000 --rate 0
.venv/bin/python -m kconnect_datagen.shop "$shop" --rate 20 &
feeder=$!
trap 'kill "$feeder" 2>/dev/null || true; wait "$feeder" 2>/dev/null || true' EXIT

.venv/bin/kconnect standalone --progress configs/demo/worker.properties configs/demo/*.json
