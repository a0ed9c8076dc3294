"""`make bench`: every measurement, one table each."""

from __future__ import annotations

import subprocess
import sys

from rich.console import Console
from rich.table import Table

from benchmarks import library, model, startup, turns


def main() -> None:
    """Measure and print."""
    console = Console(width=120)
    table = Table(box=None)
    for heading in ("what", "measured", "goal", "beside, in the same run"):
        table.add_column(heading)
    for row in [*startup.measure(), *turns.measure(), *model.measure(), *library.measure()]:
        table.add_row(*row)
    console.print(table)
    subprocess.run([sys.executable, "-m", "benchmarks.retrieval"], check=True)


if __name__ == "__main__":
    main()
