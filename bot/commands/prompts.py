"""`coach prompts`: what an organizer does, from the command line. Options here; deeds in planning.

Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Practice prompts for groups.")

Groups = Annotated[list[str] | None, typer.Option("--group", help="A group by its name.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="Groups with this tag.")]
Languages = Annotated[list[str] | None, typer.Option("--lang", help="Groups that speak it.")]
Everywhere = Annotated[bool, typer.Option("--all", help="Every group.")]
Rest = Annotated[int, typer.Option("--rest", help="Leave out groups prompted in so many days.")]
Quiet = Annotated[str, typer.Option("--quiet", help="Local hours without posts: 21:00-08:00.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Which = Annotated[str, typer.Argument(help="A schedule's id, as `coach prompts planned` says.")]


@app.command("list")
def list_prompts(
    stage: Annotated[str | None, typer.Option(help="self, us or now.")] = None,
    move: Annotated[str | None, typer.Option(help="Such as self.choice.")] = None,
    season: Annotated[str | None, typer.Option(help="starting, building, deciding…")] = None,
    lang: Annotated[str, typer.Option(help="The language to show them in.")] = "en",
    as_json: Json = False,
) -> None:
    """The prompts to choose from: the library's, then what colleagues wrote."""
    from bot.commands.planning import list_prompts as go

    raise typer.Exit(go(stage, move, season, lang, as_json, sys.stdout, sys.stderr))


@app.command()
def push(
    prompt: Annotated[str, typer.Argument(help="A prompt's id, as `coach prompts list` says.")],
    group: Groups = None,
    tag: Tags = None,
    lang: Languages = None,
    everywhere: Everywhere = False,
    rest: Rest = 0,
    quiet: Quiet = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Post a prompt to groups now."""
    from bot.commands.planning import Wish, plan

    wish = Wish([prompt], group or [], tag or [], lang or [], everywhere, rest, quiet)
    raise typer.Exit(plan(wish, dry_run, as_json, sys.stdout, sys.stderr))


@app.command()
def schedule(
    prompt: Annotated[list[str], typer.Argument(help="One prompt's id, or several in turn.")],
    at: Annotated[str, typer.Option("--at", help="Local time, such as 18:30.")],
    every: Annotated[str, typer.Option(help="once, week, 2weeks or month.")] = "once",
    on: Annotated[str, typer.Option(help="Days: mon,thu; of a month with --nth.")] = "",
    nth: Annotated[str, typer.Option(help="1 to 4, or last: of the month.")] = "",
    first: Annotated[str, typer.Option("--from", help="First day, 2026-12-01.")] = "",
    until: Annotated[str, typer.Option(help="Last day, 2027-02-28.")] = "",
    group: Groups = None,
    tag: Tags = None,
    lang: Languages = None,
    everywhere: Everywhere = False,
    rest: Rest = 0,
    quiet: Quiet = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Plan a prompt for a time, or again and again, in each group's own local time."""
    from bot.commands.planning import Wish, plan

    wish = Wish(prompt, group or [], tag or [], lang or [], everywhere, rest, quiet, at, every, on,
                nth, first, until)  # fmt: skip
    raise typer.Exit(plan(wish, dry_run, as_json, sys.stdout, sys.stderr))


@app.command()
def planned(
    ended: Annotated[bool, typer.Option("--ended", help="Also what is over.")] = False,
    as_json: Json = False,
) -> None:
    """What is planned, with its next time."""
    from bot.commands.planning import planned as go

    raise typer.Exit(go(ended, as_json, sys.stdout, sys.stderr))


@app.command()
def pause(which: Which) -> None:
    """Post nothing of a schedule until it is resumed."""
    _change("pause", which)


@app.command()
def resume(which: Which) -> None:
    """Go on with a paused schedule; what fell into the pause is not made up for."""
    _change("resume", which)


@app.command()
def skip(which: Which) -> None:
    """Leave out a schedule's next time."""
    _change("skip", which)


@app.command()
def end(which: Which) -> None:
    """Post nothing of a schedule any more."""
    _change("end", which)


def _change(verb: str, which: str) -> None:
    from bot.commands.planning import change

    raise typer.Exit(change(verb, which, sys.stdout, sys.stderr))


@app.command()
def results(
    as_json: Json = False,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw them into this PNG file instead.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Of the picture: group, prompt or week.")
    ] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="The picture's language.")] = None,
) -> None:
    """What became of every push. Never who; numbers of people under five are not shown."""
    from bot.commands.outcomes import draw, run

    if picture is not None:
        raise typer.Exit(draw(picture, by, lang, sys.stdout, sys.stderr))
    raise typer.Exit(run(as_json, sys.stdout))


@app.command()
def offers(
    prompt: Annotated[str, typer.Argument(help="A prompt's id, as `coach prompts list` says.")],
    as_json: Json = False,
) -> None:
    """Stories and passages that tellers let organizers post about a prompt. Never whose."""
    from bot.commands.telling import offers as go

    raise typer.Exit(go(prompt, as_json, sys.stdout, sys.stderr))


@app.command()
def tell(
    prompt: Annotated[str, typer.Argument(help="A prompt's id, as `coach prompts list` says.")],
    offer: Annotated[
        str | None, typer.Option("--offer", help="An offer's id, as `coach prompts offers` says.")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Tell the groups that had a prompt how far they came, or show them what a teller offers."""
    from bot.commands.telling import tell as go

    raise typer.Exit(go(prompt, offer, dry_run, as_json, sys.stdout, sys.stderr))


@app.command()
def write(
    text: Annotated[str, typer.Argument(help="What the group will read.")],
    move: Annotated[str, typer.Option(help="The move it practises, such as us.choice.")],
    season: Annotated[str, typer.Option(help="starting, building, deciding…")] = "building",
    lang: Annotated[str, typer.Option(help="Its language.")] = "en",
) -> None:
    """Keep a prompt of your own for all organizers."""
    from bot.commands.planning import write as go

    raise typer.Exit(go(text, move, season, lang, sys.stdout, sys.stderr))


@app.command()
def retire(prompt: Annotated[str, typer.Argument(help="The id of an own prompt.")]) -> None:
    """Offer and post an own prompt no more."""
    from bot.commands.planning import retire as go

    raise typer.Exit(go(prompt, sys.stdout, sys.stderr))


@app.command()
def groups(
    name: Annotated[str | None, typer.Argument(help="One group, to change it.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Such as Europe/Madrid.")] = None,
    lang: Annotated[str | None, typer.Option(help="The language it is spoken to in.")] = None,
    topic: Annotated[str | None, typer.Option(help="A message thread's number, or main.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Its tags, replaced.")] = None,
    as_json: Json = False,
) -> None:
    """The groups the bot is in; or change one: time zone, language, topic, tags."""
    from bot.commands.planning import groups as go

    raise typer.Exit(go(name, timezone, lang, topic, tag, as_json, sys.stdout, sys.stderr))
