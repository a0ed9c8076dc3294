"""What of a story goes into a file: never who told it, only the name they chose to show."""

from __future__ import annotations

from bot.core.consent import NameShown, Purpose
from bot.core.library import LabelKind, LibraryEntry

COLUMNS = {
    "story": "An opaque id; no person can be found by it outside the initiative's database.",
    "title": "How the text begins. Tellers release a text, not a title.",
    "text": "The exact text that was released and approved, nothing left out or added.",
    "language": "The language it is told in: en or es.",
    "parts": "Which stories it tells: self, us, now.",
    "name": "The name the teller chose to show; empty for none.",
    "themes": "What staff say it is about, a line each.",
    "place_type": "Kind of place, as staff say: city, town, village, suburb, rural.",
    "values": "Value words in the teller's own language, as staff heard them, a line each.",
    "may_be_excerpted": "yes if its teller lets parts be quoted; otherwise only the whole.",
    "may_be_translated": "yes if its teller lets it be translated.",
    "released_on": "Day of release, UTC.",
    "until": "Day the permission ends, UTC. Afterwards it may not be used.",
    "text_sha256": "SHA-256 of the text in UTF-8: what consent and approval are bound to.",
}
"""Columns of a story, with what each means."""

LEDGER = {
    "story": "The story's id.",
    "release": "The release's id.",
    "text_sha256": "The text it covers, and nothing else.",
    "purposes": "Every use the teller permitted, a line each.",
    "name_shown": "full, first, chosen or none.",
    "wording": "Version of the consent wording.",
    "language": "Language the consent was given in.",
    "released_at": "When, UTC.",
    "expires_at": "Until when, UTC.",
    "approved_at": "When staff approved exactly this text, UTC.",
    "teller_share": "Share of words the teller typed, 0 to 1.",
}
"""Columns of the consent ledger, with what each means."""


def story_row(entry: LibraryEntry) -> dict[str, str]:
    """One story by COLUMNS, as plain text."""
    release = entry.release
    return {
        "story": entry.story_id,
        "title": entry.title,
        "text": release.text,
        "language": entry.story_language,
        "parts": " ".join(s.value for s in entry.stages),
        "name": shown_name(entry),
        "themes": "\n".join(entry.labelled(LabelKind.THEME)),
        "place_type": "\n".join(entry.labelled(LabelKind.PLACE)),
        "values": "\n".join(entry.labelled(LabelKind.VALUE)),
        "may_be_excerpted": _yes(Purpose.EXCERPTS in release.purposes),
        "may_be_translated": _yes(Purpose.TRANSLATION in release.purposes),
        "released_on": f"{release.released_at:%Y-%m-%d}",
        "until": f"{release.expires_at:%Y-%m-%d}",
        "text_sha256": release.text_sha256,
    }


def ledger_row(entry: LibraryEntry) -> dict[str, str]:
    """The consent behind one story by LEDGER, without words or names."""
    release = entry.release
    return {
        "story": entry.story_id,
        "release": release.id,
        "text_sha256": release.text_sha256,
        "purposes": "\n".join(p.value for p in Purpose if p in release.purposes),
        "name_shown": release.name_shown.value,
        "wording": release.wording,
        "language": release.language,
        "released_at": release.released_at.isoformat(),
        "expires_at": release.expires_at.isoformat(),
        "approved_at": entry.approved_at.isoformat(),
        "teller_share": f"{release.teller_share:.3f}",
    }


def shown_name(entry: LibraryEntry) -> str:
    """The name beside a story, empty when its teller wants none."""
    return "" if entry.release.name_shown is NameShown.NONE else entry.release.name


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
