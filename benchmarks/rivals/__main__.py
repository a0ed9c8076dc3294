"""`python -m benchmarks.rivals`: our bot and others side by side, over one server on loopback."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.rivals.contestants import Contestant, everybody
from benchmarks.rivals.measuring import Plan, Result, measure

NOTES = """\
Turns a second, closed loop: each person writes the next message as soon as the last is answered
in full. “× first” and “× ours” compare, with {at} people, with the first row and the first of ours.
Milliseconds are from the message to its last answer. CPU is that of the bot's processes with {at}
people, {beside}; “server” is how busy the Bot API server was, of one core.
Everybody's conversation has six messages. Flood limits are lifted for ours, unless the row says
they are kept; no rival keeps any. “Reading stubbed”: reading, screening and examples answer at
once, nothing else is changed. “Whole” is as shipped; no message is the same as an earlier one.
A round with everybody answered once is left out first. Cells are empty where a row is so slow that
nothing would be learned.
Memory: what the processes grew by while {residents} different people wrote once, as for 10,000.
Killed: SIGKILL while 50 people talk, {kills} times. Lost: acknowledged to Telegram, never answered.
Answered again: in the same words, or in others. Out of place: people, once a kill, whose first
answer after it was none that this message gets: the bot no longer knew where they were."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure who is asked for and print; 2 when a name is unknown."""
    asking = argparse.ArgumentParser(prog="python -m benchmarks.rivals", description=__doc__)
    asking.add_argument("--quick", action="store_true", help="a short run, rougher figures")
    asking.add_argument("--only", action="append", default=[], metavar="NAME", help="may repeat")
    asking.add_argument(
        "--command", action="append", default=[], metavar="BOT",
        help="any other bot, started by this; TELEGRAM_API_BASE_URL and TELEGRAM_BOT_TOKEN are its",
    )  # fmt: skip
    asking.add_argument("--people", help="how many talk, as in 1,50,500")
    asking.add_argument("--seconds", type=float, help="of each repeat")
    asking.add_argument("--repeats", type=int)
    asking.add_argument("--residents", type=int, help="who write once, for memory; 0 for none")
    asking.add_argument("--kills", type=int, help="0 for none")
    asking.add_argument("--model-ms", type=float, default=0.0, help="what the stub model takes")
    asking.add_argument("--json", type=Path, metavar="FILE", help="all figures, also there")
    given = asking.parse_args(arguments)
    plan = _plan(given)
    # As Ctrl-C: what was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=190)
    rows = everybody(given.model_ms, given.only)
    others = [Contestant(f"command-{n}", c, [shlex.split(c)]) for n, c in enumerate(given.command)]
    if others and not given.only:
        given.only = [row.key for row in rows]
    given.only += [row.key for row in others]
    rows += others
    unknown = {*given.only} - {row.key for row in rows}
    if unknown:
        print(f"There is no {', '.join(sorted(unknown))}. Names: ", end="", file=sys.stderr)
        print(", ".join(row.key for row in rows), file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            if given.only and row.key not in given.only:
                continue

            def say(what: str, title: str = row.title) -> None:
                print(f"{title}: {what} …", file=sys.stderr, flush=True)

            results.append(measure(row, plan, Path(folder) / row.key, say))
    print_all(console, results, plan)
    console.print(f"{os.cpu_count()} processors; before the run, {load:.1f} were busy with others.")
    if given.json:
        given.json.write_text(json.dumps([result.plain() for result in results], indent=1))
    return 0


def _plan(given: argparse.Namespace) -> Plan:
    plan = Plan((1, 50), 2.0, 1, 1000, 2) if given.quick else Plan()
    people = tuple(map(int, given.people.split(","))) if given.people else plan.people
    return Plan(
        people,
        plan.seconds if given.seconds is None else given.seconds,
        plan.repeats if given.repeats is None else given.repeats,
        plan.residents if given.residents is None else given.residents,
        plan.kills if given.kills is None else given.kills,
    )


def print_all(console: Console, results: Sequence[Result], plan: Plan) -> None:
    """Two tables, what is missing, and what the words mean."""
    at = 50 if 50 in plan.people else max(plan.people)
    done = [result for result in results if result.speeds.get(at)]
    first = done[0].speeds[at].turns if done else 0.0
    ours = next((r.speeds[at].turns for r in done if r.contestant.is_ours), 0.0)
    speed = Table(title="Speed", box=None, title_justify="left")
    speed.add_column("bot")
    for people in plan.people:
        who = "person" if people == 1 else "people"
        speed.add_column(f"turns/s\n{people} {who}", justify="right")
        speed.add_column("ms p50/p95/p99", justify="right")
    for heading in ("× first", "× ours", "CPU ms\na turn", "calls\na turn", "server"):
        speed.add_column(heading, justify="right")
    for result in done:
        cells = [result.contestant.title]
        for people in plan.people:
            seen = result.speeds.get(people)
            late = f", {seen.unanswered:.0f} unanswered" if seen and seen.unanswered else ""
            cells.append(f"{seen.turns:,.0f}{late}" if seen else "")
            cells.append(f"{seen.p50:,.1f}/{seen.p95:,.1f}/{seen.p99:,.1f}" if seen else "")
        fifty = result.speeds[at]
        cells += [f"{fifty.turns / first:.2f}", f"{fifty.turns / ours:.2f}" if ours else ""]
        cells += [f"{fifty.cpu_ms:.2f}", f"{fifty.calls:.2f}", f"{fifty.server_busy:.0%}"]
        speed.add_row(*cells)
    console.print(speed)
    console.print(_second(done))
    for result in results:
        if result.failed:
            console.print(
                f"{result.contestant.title}: not measured, {result.failed}.", style="bold"
            )
    beside = "Redis and PostgreSQL included"
    console.print(
        NOTES.format(at=at, beside=beside, residents=f"{plan.residents:,}", kills=plan.kills)
    )


def _second(done: Sequence[Result]) -> Table:
    table = Table(title="\nMemory, and SIGKILL under load", box=None, title_justify="left")
    table.add_column("bot")
    for heading in (
        "MiB at rest", "MiB for 10,000\nresidents", "newcomers/s", "kills", "messages",
        "open at\na kill", "lost", "again,\nsame words", "again,\nothers", "out of\nplace",
        "seconds\nto be back",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for result in done:
        cells = [result.contestant.title]
        for figure in (result.rest_mib, result.mib_per_10_000, result.newcomers):
            cells.append("" if figure is None else f"{figure:,.1f}")
        killed = result.killed
        if killed is not None:
            lost = f"{killed.lost}"
            if killed.unconfirmed:
                lost += f" (and {killed.unconfirmed} waiting)"
            cells += [f"{killed.kills}", f"{killed.turns:,}", f"{killed.open}", lost]
            cells += [f"{killed.repeated}", f"{killed.otherwise}", f"{killed.forgot}"]
            cells.append(f"{killed.back:.1f}")
        table.add_row(*cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
