"""The commands that the README shows, as it shows them: `python3 tools/readme_command.py run`.

In the README a line `<!-- command: NAME -->` stands before the fenced block of each.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["readme_command"]

_BLOCK = r"<!-- command: {name} -->\s*```[a-z]*\n(?P<command>.*?)```"


def readme_command(readme: str, name: str) -> str:
    """The lines of one command; raises LookupError unless the README shows exactly one of that name."""
    found = re.findall(_BLOCK.format(name=re.escape(name)), readme, re.DOTALL)
    if len(found) != 1:
        raise LookupError(f"the README shows {len(found)} commands marked {name!r}, and must show one")
    return str(found[0]).strip()


if __name__ == "__main__":
    print(readme_command(Path("README.md").read_text(), sys.argv[1]))
