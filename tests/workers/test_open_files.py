"""The limit of open files."""

from __future__ import annotations

import subprocess
import sys

_RAISE = (
    "import resource;"
    "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard));"
    "from pathlib import Path;"
    "from kconnect_workers import standalone;"
    "standalone.run(Path('no such file'), []);"
    "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
)


def test_a_worker_may_open_more_files_than_the_usual_limit_allows() -> None:
    ran = subprocess.run([sys.executable, "-c", _RAISE], capture_output=True, text=True, timeout=60, check=True)
    assert int(ran.stdout) > 256
