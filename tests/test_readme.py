"""What the README promises to a newcomer is what the repository does."""

from pathlib import Path

import pytest
from tools.readme_command import readme_command

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("name", "target"), [("run", "run"), ("test", "test")])
def test_the_two_commands_are_make_targets(name: str, target: str) -> None:
    command = readme_command((ROOT / "README.md").read_text(), name)

    assert command == f"make {target}"
    assert f"\n{target}: setup\n" in (ROOT / "Makefile").read_text()


def test_a_command_that_is_shown_twice_is_refused() -> None:
    block = "<!-- command: run -->\n```sh\nmake run\n```\n"

    with pytest.raises(LookupError, match="shows 2 commands marked 'run'"):
        readme_command(block + block, "run")


def test_a_command_may_take_several_lines() -> None:
    readme = "First:\n\n<!-- command: run -->\n\n```console\ngit clone x\nmake run\n```\n\n```sh\nother\n```\n"

    assert readme_command(readme, "run") == "git clone x\nmake run"
