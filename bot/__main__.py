"""The `coach` command line. Thin: parse, call, translate the error into one plain sentence.

Nothing heavy is imported here, so that `coach --help` answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from bot.commands.prompts import app as prompts

# The reader's matrices are small: a second thread costs more in waiting than it gives, and on a
# busy machine it stalls for a second. Must be set before numpy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Coach residents through public narrative; keep their stories only as they allow.",
)
app.add_typer(prompts, name="prompts")


@app.command()
def chat(
    name: Annotated[str, typer.Option("--as", help="Who is talking.")] = "you",
    group: Annotated[str | None, typer.Option("--in", help="Talk in a group.")] = None,
) -> None:
    """Talk with the real bot in this terminal."""
    from bot.commands.chat import run

    raise typer.Exit(run(name, group, sys.stdin, sys.stdout, sys.stderr))


@app.command()
def run() -> None:
    """Serve Telegram in one process, by polling."""
    from bot.commands.serve import run as serve

    raise typer.Exit(serve(sys.stderr))


@app.command()
def web() -> None:
    """Serve Telegram in one process, by webhook."""
    from bot.commands.web import run as serve

    raise typer.Exit(serve(sys.stderr))


@app.command()
def worker() -> None:
    """Answer and send beside other processes on the same PostgreSQL; takes no updates in."""
    from bot.commands.worker import run as serve

    raise typer.Exit(serve(sys.stderr))


@app.command()
def migrate() -> None:
    """Bring the database to this version."""
    from bot.commands.migrate import run as go

    raise typer.Exit(go(sys.stdout, sys.stderr))


@app.command()
def backup(
    out: Annotated[
        Path | None, typer.Option(help="A folder that is there, or a new file's name.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(help="Remove older ones in that folder beyond so many.", min=1)
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Which there are, and where.")] = False,
    acknowledge: Annotated[str, typer.Option(help="Every copy of this one was destroyed.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Write the whole database into one file, also while the coach runs."""
    from bot.commands.backup import Wish
    from bot.commands.backup import run as go

    wish = Wish(out, keep, listed, acknowledge)
    raise typer.Exit(go(wish, as_json, sys.stdout, sys.stderr))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `coach backup` wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of what the database holds now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Put a backup into the database; what was withdrawn since stays withdrawn, where known."""
    from bot.commands.restore import run as go

    raise typer.Exit(go(file, replace, as_json, sys.stdout, sys.stderr))


@app.command()
def index() -> None:
    """Build the example index, or refresh it when the corpus changed."""
    from bot.commands.index import run as go

    raise typer.Exit(go(_home(), sys.stdout, sys.stderr))


@app.command()
def assess() -> None:
    """Read tellings: JSON lines in, labels, evidence and the next question's element out."""
    from bot.commands.assess import run as go

    raise typer.Exit(go(sys.stdin.buffer, sys.stdout, sys.stderr))


@app.command()
def screen() -> None:
    """Screen messages: JSON lines in, safety and passages that may identify somebody out."""
    from bot.commands.screen import run as go

    raise typer.Exit(go(sys.stdin.buffer, sys.stdout, sys.stderr))


@app.command()
def examples(
    text: Annotated[str, typer.Argument(help="What was written so far.")] = "",
    move: Annotated[str, typer.Option(help="Such as self.choice or now.ask.")] = "self.challenge",
    lang: Annotated[str, typer.Option(help="en or es.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the example passages a resident would be shown."""
    from bot.commands.examples import run as go

    raise typer.Exit(go(move, lang, text, as_json, _home(), sys.stdout, sys.stderr))


@app.command()
def stories(
    status: Annotated[str | None, typer.Option(help="draft, submitted or withdrawn.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List stories: where each stands and what it may be used for. Never a word of them."""
    from bot.commands.stories import run as go

    raise typer.Exit(go(status, as_json, sys.stdout, sys.stderr))


@app.command()
def forget(
    resident: Annotated[str, typer.Argument(help="Resident id, Telegram number or name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase everything held about a resident, with a receipt per place."""
    from bot.commands.forget import run as go

    raise typer.Exit(go(resident, yes, sys.stdin, sys.stdout, sys.stderr))


@app.command()
def withdraw(
    story: Annotated[str, typer.Argument(help="Story id, as `coach stories` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Withdraw one story on its teller's behalf: gone from lists, then from the disk."""
    from bot.commands.withdraw import run as go

    raise typer.Exit(go(story, yes, sys.stdin, sys.stdout, sys.stderr))


@app.command()
def review(
    story: Annotated[str, typer.Argument(help="Story id, or how it begins.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Take it into the library.")] = False,
    return_for: Annotated[str, typer.Option("--return", help="Give it back: a reason.")] = "",
    hold: Annotated[bool, typer.Option("--hold", help="Decide later.")] = False,
    escalate: Annotated[
        str, typer.Option(help="collective_consent or minor_consent is needed.")
    ] = "",
    claim: Annotated[bool, typer.Option("--claim", help="Keep others away for now.")] = False,
    let_go: Annotated[bool, typer.Option("--let-go", help="Give a claim up.")] = False,
    note: Annotated[str, typer.Option(help="To the teller, with --return.")] = "",
    theme: Annotated[list[str] | None, typer.Option(help="What it is about; repeat.")] = None,
    place: Annotated[str, typer.Option(help="city, town, village, suburb or rural.")] = "",
    value: Annotated[list[str] | None, typer.Option(help="A value word as told; repeat.")] = None,
    mark: Annotated[
        list[str] | None, typer.Option(help="A passage to show: self.choice=its words; repeat.")
    ] = None,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="Show, or with --approve mark, found passages.")
    ] = False,
    sha256: Annotated[str, typer.Option(help="Decide only about the text with this hash.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Review released stories: in a row on a terminal, or one act by options."""
    from bot.commands.review import Wish
    from bot.commands.review import run as go

    wished = {
        "approve": approve, "return": bool(return_for), "hold": hold, "escalate": bool(escalate),
        "claim": claim, "let_go": let_go,
    }  # fmt: skip
    acts = [name for name, is_wished in wished.items() if is_wished]
    if len(acts) > 1:
        raise typer.BadParameter("one act at a time")
    labels = [("theme", t) for t in theme or ()] + [("value", v) for v in value or ()]
    wish = Wish(
        story,
        acts[0] if acts else "",
        return_for or escalate,
        note,
        sha256,
        [*labels, *([("place", place)] if place else [])],
        mark or (),
        suggested,
    )
    raise typer.Exit(go(wish, as_json, sys.stdin, sys.stdout, sys.stderr))


@app.command()
def library(
    theme: Annotated[str, typer.Option(help="What it is about.")] = "",
    stage: Annotated[str, typer.Option(help="self, us or now.")] = "",
    language: Annotated[str, typer.Option(help="en or es.")] = "",
    place: Annotated[str, typer.Option(help="city, town, village, suburb or rural.")] = "",
    value: Annotated[str, typer.Option(help="A value word, as told.")] = "",
    since: Annotated[str, typer.Option(help="Released from this day on, 2026-12-01.")] = "",
    until: Annotated[str, typer.Option(help="Released up to this day.")] = "",
    purpose: Annotated[str, typer.Option(help="Permitted for this, such as press.")] = "",
    limit: Annotated[int, typer.Option(help="The first so many.", min=1)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Find approved stories, each with what its teller permits."""
    from bot.commands.library import run as go

    filters = {
        "theme": theme, "stage": stage, "language": language, "place": place, "value": value,
        "since": since, "until": until, "purpose": purpose,
    }  # fmt: skip
    raise typer.Exit(go(filters, limit, as_json, sys.stdout, sys.stderr))


@app.command()
def export(
    profile: Annotated[
        str, typer.Option(help="public, partner or internal; without it, list earlier exports.")
    ] = "",
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="csv, jsonl, markdown, docx or cards; repeat."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to put it in.")] = None,
    theme: Annotated[str, typer.Option(help="Only stories about this.")] = "",
    stage: Annotated[str, typer.Option(help="self, us or now.")] = "",
    language: Annotated[str, typer.Option(help="en or es.")] = "",
    place: Annotated[str, typer.Option(help="city, town, village, suburb or rural.")] = "",
    value: Annotated[str, typer.Option(help="A value word, as told.")] = "",
    since: Annotated[str, typer.Option(help="Released from this day on, 2026-12-01.")] = "",
    until: Annotated[str, typer.Option(help="Released up to this day.")] = "",
    acknowledge: Annotated[str, typer.Option(help="Every copy of this export was destroyed.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Export approved stories with the consent that covers them, in one file."""
    from bot.commands.export import Wish
    from bot.commands.export import run as go

    filters = {
        "theme": theme, "stage": stage, "language": language, "place": place, "value": value,
        "since": since, "until": until,
    }  # fmt: skip
    wish = Wish(profile, formats or (), out, filters, acknowledge)
    raise typer.Exit(go(wish, as_json, sys.stdout, sys.stderr))


@app.command()
def report(
    public: Annotated[
        bool, typer.Option("--public", help="For everybody: numbers under 10 are hidden.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to put it in.")] = None,
    language: Annotated[str, typer.Option(help="en or es.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs: numbers only.")] = False,
) -> None:
    """Write a page of charts about the stories: patterns, not prevalence."""
    from bot.commands.report import run as go

    raise typer.Exit(go(public, out, language, as_json, sys.stdout, sys.stderr))


@app.command()
def grant(
    person: Annotated[str, typer.Argument(help="Name, Telegram number or resident id.")],
    role: Annotated[str, typer.Argument(help="staff or organizer.")],
    rights: Annotated[str, typer.Option(help="Only some of staff's: review,approve…")] = "",
) -> None:
    """Make somebody an organizer or staff."""
    from bot.commands.grant import run as go

    raise typer.Exit(go(person, role, rights, sys.stdout, sys.stderr))


@app.command()
def revoke(
    person: Annotated[str, typer.Argument(help="Name, Telegram number or resident id.")],
    role: Annotated[
        str | None, typer.Argument(help="staff or organizer; both if left out.")
    ] = None,
) -> None:
    """Take rights away; what they planned stops, and their invitations with it."""
    from bot.commands.grant import revoke as go

    raise typer.Exit(go(person, role, sys.stdout, sys.stderr))


@app.command()
def invite(
    role: Annotated[str, typer.Argument(help="organizer or staff.")],
    days: Annotated[int, typer.Option(help="How long the link works.")] = 7,
    rights: Annotated[str, typer.Option(help="Only some of staff's: review,approve…")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Print a link that works once: whoever opens it first becomes organizer or staff."""
    from bot.commands.invite import run as go

    raise typer.Exit(go(role, rights, days, as_json, sys.stdout, sys.stderr))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what was set aside.")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="Erase what was set aside.")] = False,
    chroma_files: Annotated[
        Path | None, typer.Option(help="Prove a Chroma server's folder clean of what was erased.")
    ] = None,
    folder_gone: Annotated[
        str, typer.Option(help="Answer for it: this data folder is destroyed.")
    ] = "",
) -> None:
    """Check settings, token, database, index, models and disk; say what to do."""
    from bot.commands.doctor import run as go

    raise typer.Exit(
        go(
            as_json,
            sys.stdout,
            sys.stderr,
            retry=retry,
            discard=discard,
            chroma_files=chroma_files,
            folder_gone=folder_gone,
        )
    )


@app.command("train-reader")
def train_reader(
    corpus: Annotated[Path | None, typer.Option(help="Labelled tellings.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the weights go.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Only measure, for README.")] = False,
) -> None:
    """Learn the embedded reader's heads from the labelled corpus; print how well they hear."""
    from bot.commands.train_reader import run as go

    raise typer.Exit(go(corpus, out, sys.stdout, sys.stderr, as_json, report))


@app.command()
def evaluate(
    embedded: Annotated[bool, typer.Option("--embedded", help="The embedded coach alone.")] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the table in this file.")] = None,
    compare: Annotated[list[Path] | None, typer.Option(help="A saved table; give two.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many tellings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Measure the configured model, or the embedded coach, on tellings with known next moves."""
    from bot.commands.evaluate import run as go

    chosen = compare or ()
    raise typer.Exit(
        go(
            sys.stdout,
            sys.stderr,
            embedded=embedded,
            save=save,
            compare=chosen,
            as_json=as_json,
            limit=limit,
        )
    )


def _home() -> Path:
    from bot.settings import load_settings

    return load_settings().coach_home


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 refused or failed, 2 wrong usage."""
    try:
        try:
            app(prog_name="coach")
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read our output has left, and knows it.
        _give_up_output()
        raise SystemExit(1) from None
    except Exception as error:
        print(sentence(error), file=sys.stderr)
        _give_up_output()
        raise SystemExit(1) from None


def _give_up_output() -> None:
    """Keep the interpreter from trying once more, at its end, what could not be written."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def sentence(error: Exception) -> str:
    """One plain sentence for the person at the command line; never words from a story."""
    from bot.settings import BadSetting
    from bot.usecases.ports import Conflict, RetrievalUnavailable, StoreUnavailable
    from bot.wiring import HomeBusy

    if isinstance(error, BadSetting | StoreUnavailable | RetrievalUnavailable | HomeBusy):
        return str(error)
    if isinstance(error, Conflict):
        return "Another program changed the same data at the same moment. Nothing was lost; repeat."
    if isinstance(error, OSError) and error.filename is not None:
        return (
            f"{error.filename} cannot be used ({error.strerror}). "
            "Nothing was lost; check the disk and the file's permissions, then repeat."
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "The disk is full, so not everything could be written. Make room, then repeat."
    return _unexpected(error)


def _unexpected(error: Exception) -> str:
    """A mistake of ours: its kind and place, without its words."""
    places = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return (
        f"Something went wrong inside the program: {type(error).__name__} "
        f"at {' < '.join(places[:-4:-1])}. What was kept before is safe. "
        "Run `coach doctor`; if it finds nothing, please report this line."
    )


if __name__ == "__main__":
    main()
