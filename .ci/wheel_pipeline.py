"""A file through a topic into another file, by the `kconnect` of this interpreter's environment and no checkout."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LINES = [f"line {number}" for number in range(1000)]
SECONDS = 60

WORKER = """\
listeners=http://127.0.0.1:{rest}
embedded.log.listeners=PLAINTEXT://127.0.0.1:{kafka}
embedded.log.dir={folder}/log
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
"""
SOURCE = (
    '{{"name": "in", "config": {{"connector.class": "FileStreamSource", "file": "{folder}/in.txt", "topic": "t"}}}}'
)
SINK = '{{"name": "out", "config": {{"connector.class": "FileStreamSink", "file": "{folder}/out.txt", "topics": "t"}}}}'


def main() -> None:
    kconnect = Path(sys.executable).parent / "kconnect"
    listing = subprocess.run([kconnect, "plugins"], capture_output=True, text=True, check=True).stdout
    missing = [name for name in ("FileStreamSource", "SqlSource", "RedisSink", "Json") if name not in listing]
    if missing:
        sys.exit(f"`kconnect plugins` does not list {missing}:\n{listing}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rest, kafka = free_port(), free_port()
        (folder / "worker.properties").write_text(WORKER.format(rest=rest, kafka=kafka, folder=folder))
        (folder / "in.json").write_text(SOURCE.format(folder=folder))
        (folder / "out.json").write_text(SINK.format(folder=folder))
        (folder / "in.txt").write_text("\n".join(LINES) + "\n")
        files = [folder / name for name in ("worker.properties", "in.json", "out.json")]
        worker = subprocess.Popen([kconnect, "standalone", *files], cwd=folder)
        try:
            wait_for_lines(folder / "out.txt", worker)
        finally:
            worker.send_signal(signal.SIGTERM)
            code = worker.wait(SECONDS)
        if code != 0:
            sys.exit(f"`kconnect standalone` ended with {code} after SIGTERM, not 0")
    print(f"{len(LINES)} lines went from file to topic to file")


def wait_for_lines(path: Path, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while not path.exists() or path.read_text().splitlines() != LINES:
        if worker.poll() is not None:
            sys.exit(f"`kconnect standalone` ended with {worker.returncode}")
        if time.monotonic() > deadline:
            found = len(path.read_text().splitlines()) if path.exists() else 0
            sys.exit(f"{found} of {len(LINES)} lines arrived within {SECONDS} s, or not in order")
        time.sleep(0.2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


if __name__ == "__main__":
    main()
