"""Imports every module that a task process may need, where only the core's own dependencies are installed.

The worker's modules (REST, command line, herder) may need more, and so may what an extra is for; `kconnect.testing` is
for tests.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

TASK_SIDE = (
    "kconnect",
    "kconnect_converters",
    "kconnect_transforms",
    "kconnect_workers.tasks",
    "kconnect_workers.hosts",
)
NOT_TASK_SIDE = ("kconnect.testing",)
NEEDS_AN_EXTRA = tuple(
    f"kconnect_converters.protobuf.{name}"
    for name in ("decoder", "encoder", "files", "from_protobuf", "meta", "text", "to_protobuf")
)


def main() -> None:
    count = 0
    for package_name in TASK_SIDE:
        package = importlib.import_module(package_name)
        count += 1
        for module in pkgutil.walk_packages(package.__path__, f"{package_name}."):
            if module.name.startswith((*NOT_TASK_SIDE, *NEEDS_AN_EXTRA)) or module.name.endswith("__main__"):
                continue
            importlib.import_module(module.name)
            count += 1
    print(f"{count} task-side modules imported with Python {sys.version.split()[0]} and the core's dependencies alone")


if __name__ == "__main__":
    main()
