"""Puts what a command printed into README, between `<!-- NAME -->` and `<!-- /NAME -->`.

`python -m docs.readme reader < what coach train-reader --report printed`
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def part(name: str) -> str:
    """What README holds between the marks of `name`; KeyError when there are none."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README.read_text(), re.DOTALL)
    if not found:
        raise KeyError(f"README has no part {name}")
    return found[1]


def put(name: str, printed: str) -> None:
    """Replace the part by what was printed."""
    text = README.read_text().replace(
        f"<!-- {name} -->\n{part(name)}<!-- /{name} -->",
        f"<!-- {name} -->\n{printed.rstrip()}\n<!-- /{name} -->",
    )
    README.write_text(text)


if __name__ == "__main__":
    put(sys.argv[1], sys.stdin.read())
