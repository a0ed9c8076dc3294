"""Staff's room, exports: made, handed over or kept for who runs the machine, and destroyed."""

from __future__ import annotations

from contextlib import suppress

from bot.core.library import MAY_SEND, Format, Profile
from bot.core.turn import Bring, Line, Move
from bot.usecases.backing_up import NoSuchBackup
from bot.usecases.desk.reviewing_screens import Screen, Table, press
from bot.usecases.exporting import Exported

BACKUP = "backup "
"""How the note of what is to be destroyed begins, when it is a backup."""
MANY = 5_000
"""Stories above which an export takes too long to wait for in a chat."""


async def export(at: Table) -> list[Move]:
    """For whom."""
    await at.answering.to_destroy(at.me)
    rows = [[press("for", p.value, label=f"for.{p.value}")] for p in Profile]
    return at.say("ask_profile", rows=[*rows, [press("home")]])


async def for_(at: Table) -> list[Move]:
    """In which form."""
    await at.answering.to_destroy(at.me)
    if at.argument not in set(Profile):
        return await export(at)
    at.notes["profile"] = at.argument
    choices = [press("as", f.value, label=f"as.{f.value}") for f in Format]
    rows = [choices[:2], choices[2:4], choices[4:], [press("export", label="back")]]
    return at.say("ask_format", rows=rows)


async def as_(at: Table) -> list[Move]:
    """Make it, outside the visit's transaction, and hand it over if Telegram takes it."""
    chosen = at.notes.get("profile")
    if at.argument not in set(Format) or chosen not in set(Profile):
        return await export(at)
    profile, form = Profile(chosen), Format(at.argument)
    exporting = at.staffed.exporting

    async def ask() -> Exported | None:
        if await exporting.count(at.me, profile) > MANY:
            return None
        return await exporting.export(
            at.me, profile, [form], at.staffed.exports, is_handed_over=True
        )

    about = f"{profile.value}.{form.value}.{at.visit.seat.turn}"
    made = at.staffed.outside("export", at.me, about, ask)
    if isinstance(made, Exception):
        raise made
    rows = [[press("export", label="export_again")], [press("home")]]
    if made is None:
        return at.say("export.many", rows=rows)
    words = {"count": str(made.rows), "name": made.path.name}
    if made.size > MAY_SEND:
        words["size"] = str(round(made.size / 1_000_000))
        return at.say(Line("review.export.large", words), rows=rows)
    line = Line("review.export.here", words)
    gone = Line("review.export.gone")
    return [Bring(made.path.name, made.id, line, gone), *at.say("export.mind", rows=rows)]


async def destroy(at: Table) -> list[Move]:
    """Earlier exports, then backups, that hold what they no longer may, one after another."""
    left = await at.answering.to_destroy(at.me)
    if not left:
        return await _destroy_backup(at)
    first = left[0]
    count = len({x.story_id for x in left if x.export_id == first.export_id})
    at.notes["destroy"] = first.export_id
    words = {
        "name": first.path.replace("\\", "/").rpartition("/")[2],
        "day": f"{first.made_at:%Y-%m-%d}",
        "count": str(count),
    }
    refs = {"profile": f"review.for.{first.profile}"}
    where = "destroy.ours_gone" if first.is_erased_here else "destroy.lies"
    rows = [[press("destroyed")], [press("home")]]
    return at.say(Line("review.destroy.one", words, refs), where, rows=rows)


async def _destroy_backup(at: Table) -> list[Move]:
    held = await at.backing_up.holding_erased(at.me)
    if not held:
        return at.say("destroy.none", rows=[[press("home")]])
    backup = held[0].backup
    at.notes["destroy"] = BACKUP + backup.id
    name = backup.path.replace("\\", "/").rpartition("/")[2]
    line = Line("review.destroy.backup", {"name": name, "day": f"{backup.made_at:%Y-%m-%d}"})
    return at.say(line, "destroy.backup_lies", rows=[[press("destroyed")], [press("home")]])


async def destroyed(at: Table) -> list[Move]:
    """Answer for it."""
    what = str(at.notes.pop("destroy", ""))
    if what.startswith(BACKUP):
        # Somebody else may have answered for it meanwhile: what is left is shown next.
        with suppress(NoSuchBackup):
            await at.backing_up.acknowledge(at.me, what.removeprefix(BACKUP))
    else:
        await at.answering.acknowledge(at.me, what)
    at.trouble.append(Line("review.destroy.noted"))
    return await destroy(at)


SCREENS: dict[str, Screen] = {
    "export": export,
    "for": for_,
    "as": as_,
    "destroy": destroy,
    "destroyed": destroyed,
}
