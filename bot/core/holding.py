"""Everything held about one resident, readable and as JSON: what /mydata hands over."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from bot.core.consent import Purpose
from bot.core.narrative import StoryOf
from bot.core.story import Folder, Story
from bot.core.turn import Line


def as_json(folder: Folder) -> str:
    """The whole folder as JSON, keys as in the code, times in UTC."""
    return json.dumps(asdict(folder), default=_plain, ensure_ascii=False, indent=2, sort_keys=True)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        fields: dict[str, Any] = asdict(value)
        return fields
    raise TypeError(f"cannot write {type(value).__name__}")


def as_lines(folder: Folder, now: datetime) -> tuple[Line, ...]:
    """The folder as lines to read: who, consent, each story with every version and release."""
    resident = folder.resident
    lines = [
        Line("mydata.title", {"day": f"{now:%Y-%m-%d %H:%M} UTC"}),
        Line("mydata.who", {"name": folder.identity.name or "-",
                            "telegram": str(folder.identity.telegram_id)}),
        Line("mydata.joined", {"day": f"{resident.joined_at:%Y-%m-%d}"}),
    ]  # fmt: skip
    if resident.participation:
        agreed = resident.participation
        words = {"day": f"{agreed.agreed_at:%Y-%m-%d}", "wording": agreed.wording}
        lines.append(Line("mydata.consent", words))
    if resident.model:
        words = {"day": f"{resident.model.decided_at:%Y-%m-%d}", "where": resident.model.at}
        lines.append(Line(f"model.record.{'yes' if resident.model.agreed else 'no'}", words))
    for number, story in enumerate(folder.stories, 1):
        lines += _story_lines(number, story)
    if not folder.stories:
        lines.append(Line("mydata.no_stories"))
    return (*lines, Line("mydata.end"))


def _story_lines(number: int, story: Story) -> list[Line]:
    lines = [
        Line(
            "mydata.story",
            {"number": str(number), "day": f"{story.begun_at:%Y-%m-%d}"},
            {"status": f"statuses.{story.status}"},
        )
    ]
    for stage in StoryOf:
        part = story.parts[stage]
        part_name = {"part": f"parts.{stage}"}
        if part.sketch:
            lines.append(Line("mydata.sketch", {"text": part.sketch}, part_name))
        for telling in part.tellings:
            words = {
                "number": str(telling.number),
                "when": f"{telling.told_at:%Y-%m-%d %H:%M}",
                "text": telling.text,
            }
            lines.append(Line("mydata.telling", words, part_name))
        if part.pieces:
            lines.append(Line("mydata.pieces", {"text": "\n".join(part.pieces)}, part_name))
    if story.link:
        lines.append(Line("mydata.link", {"text": story.link}))
    if story.commitment:
        said = [story.commitment.who, story.commitment.what, story.commitment.when,
                story.commitment.where]  # fmt: skip
        lines.append(Line("mydata.commitment", {"text": "; ".join(w for w in said if w)}))
    if story.listener:
        lines.append(Line("mydata.listener", {"name": story.listener}))
    for field, answer in story.interpretation.items():
        lines.append(Line("mydata.answer", {"text": answer}, {"field": f"fields.{field}"}))
    for release in [*story.releases, *(offer.release for offer in story.offers)]:
        words = {
            "day": f"{release.released_at:%Y-%m-%d}",
            "until": f"{release.ended_at or release.expires_at:%Y-%m-%d}",
            "name": release.name or "-",
        }
        lines.append(Line("mydata.release", words))
        lines += [
            Line("releasing.terms.use", refs={"use": f"purposes.{p}"})
            for p in Purpose
            if p in release.purposes
        ]
    return lines
