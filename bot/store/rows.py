"""A folder as rows, and rows as a folder: nothing is lost on the way, nothing is shared.

Pure functions; no database here. `Rows` maps each table's name to its rows by primary key, so
that what changed between two folders is a comparison of two dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from bot.core.consent import (
    AgeBand,
    ModelConsent,
    NameShown,
    Offer,
    Participation,
    Purpose,
    Release,
)
from bot.core.narrative import FailureMode, StoryOf, count_words
from bot.core.story import (
    Commitment,
    Folder,
    Identity,
    Origin,
    Part,
    ReadingRecord,
    Resident,
    Session,
    Story,
    StoryStatus,
    Telling,
)
from bot.store import tables

Key = tuple[object, ...]
Row = dict[str, Any]
Rows = dict[str, dict[Key, Row]]


def keyed(table: Table, rows: Iterable[Mapping[str, Any]]) -> dict[Key, Row]:
    """Rows by primary key."""
    names = [column.name for column in table.primary_key]
    return {tuple(row[name] for name in names): dict(row) for row in rows}


def to_rows(folder: Folder) -> Rows:
    """Every row the folder is made of. The copies share nothing with the folder.

    Raises TypeError when `session.notes` is not plain JSON.
    """
    rows: dict[str, list[Row]] = {table.name: [] for table in tables.OF_FOLDER}
    resident, identity, session = folder.resident, folder.identity, folder.session
    agreed = resident.participation
    rows["residents"].append(
        {
            "id": resident.id,
            "joined_at": resident.joined_at,
            "last_seen_at": resident.last_seen_at,
            "language": resident.language,
            "age_band": resident.age_band.value if resident.age_band else None,
            "participation_wording": agreed.wording if agreed else None,
            "participation_language": agreed.language if agreed else None,
            "participation_agreed_at": agreed.agreed_at if agreed else None,
            "model": _model_row(resident.model),
        }
    )
    rows["identities"].append(
        {
            "resident_id": resident.id,
            "telegram_id": identity.telegram_id,
            "chat_id": identity.chat_id,
            "name": identity.name,
            "name_folded": identity.name.casefold(),
        }
    )
    rows["sessions"].append(
        {
            "resident_id": resident.id,
            "step": session.step,
            "turn": session.turn,
            "version": session.version,
            "story_id": session.story_id,
            "notes": json.loads(json.dumps(session.notes)),
        }
    )
    for position, story in enumerate(folder.stories):
        rows["stories"].append(_story_row(resident.id, position, story))
        _add_rows_of_story(rows, story)
    rows["shown_examples"] += [
        {"resident_id": resident.id, "position": position, "passage_id": passage}
        for position, passage in enumerate(folder.shown_examples)
    ]
    return {table.name: keyed(table, rows[table.name]) for table in tables.OF_FOLDER}


def _story_row(resident_id: str, position: int, story: Story) -> Row:
    commitment = story.commitment or Commitment()
    return {
        "id": story.id,
        "resident_id": resident_id,
        "position": position,
        "language": story.language,
        "begun_at": story.begun_at,
        "status": story.status.value,
        "link": story.link,
        "link_words": count_words(story.link or ""),
        "committed": story.commitment is not None,
        "commitment_who": commitment.who,
        "commitment_what": commitment.what,
        "commitment_when": commitment.when,
        "commitment_where": commitment.where,
        "listener": story.listener,
        "kept_passages": list(story.kept_passages),
        "submitted_at": story.submitted_at,
        "withdrawn_at": story.withdrawn_at,
    }


def _add_rows_of_story(rows: dict[str, list[Row]], story: Story) -> None:
    for stage, part in story.parts.items():
        rows["parts"].append(
            {
                "story_id": story.id,
                "stage": stage.value,
                "sketch": part.sketch,
                "pieces": list(part.pieces),
            }
        )
        rows["tellings"] += [
            {
                "story_id": story.id,
                "stage": stage.value,
                "position": position,
                "number": telling.number,
                "text": telling.text,
                "words": count_words(telling.text),
                "origin": telling.origin.value,
                "told_at": telling.told_at,
                "teller_share": telling.teller_share,
            }
            for position, telling in enumerate(part.tellings)
        ]
    rows["readings"] += [
        {
            "story_id": story.id,
            "position": position,
            "stage": reading.stage.value,
            "telling": reading.telling,
            "statuses": dict(reading.statuses),
            "modes": [mode.value for mode in reading.modes],
            "reader": reading.reader,
            "read_at": reading.read_at,
        }
        for position, reading in enumerate(story.readings)
    ]
    rows["releases"] += [
        {"story_id": story.id, "position": position, **_release_row(release)}
        for position, release in enumerate(story.releases)
    ]
    rows["offers"] += [
        {
            "story_id": story.id,
            "position": position,
            **_release_row(offer.release),
            "prompt": offer.prompt,
            "question": offer.question,
            "groups": json.dumps(offer.groups, ensure_ascii=False),
        }
        for position, offer in enumerate(story.offers)
    ]
    rows["self_interpretations"] += [
        {
            "story_id": story.id,
            "field": field,
            "position": position,
            "answer": answer,
            "asserted_by": "teller",
        }
        for position, (field, answer) in enumerate(story.interpretation.items())
    ]


def _release_row(release: Release) -> Row:
    return {
        "id": release.id,
        "text": release.text,
        "text_sha256": release.text_sha256,
        "purposes": sorted(purpose.value for purpose in release.purposes),
        "name_shown": release.name_shown.value,
        "name": release.name,
        "wording": release.wording,
        "language": release.language,
        "released_at": release.released_at,
        "expires_at": release.expires_at,
        "teller_share": release.teller_share,
        "ended_at": release.ended_at,
        "ended_because": release.ended_because,
    }


def from_rows(rows: Rows) -> Folder:
    """The folder those rows are made of; the folder shares nothing with them."""
    (resident,) = rows["residents"].values()
    (identity,) = rows["identities"].values()
    (session,) = rows["sessions"].values()
    stories = sorted(rows["stories"].values(), key=lambda row: row["position"])
    shown = sorted(rows["shown_examples"].values(), key=lambda row: row["position"])
    return Folder(
        resident=Resident(
            id=resident["id"],
            joined_at=resident["joined_at"],
            last_seen_at=resident["last_seen_at"],
            language=resident["language"],
            age_band=AgeBand(resident["age_band"]) if resident["age_band"] else None,
            participation=_participation(resident),
            model=_model(resident["model"]),
        ),
        identity=Identity(identity["telegram_id"], identity["chat_id"], identity["name"]),
        session=Session(
            step=session["step"],
            turn=session["turn"],
            version=session["version"],
            story_id=session["story_id"],
            notes=json.loads(json.dumps(session["notes"])),
        ),
        stories=[_story(row, rows) for row in stories],
        shown_examples=[row["passage_id"] for row in shown],
    )


def _participation(resident: Row) -> Participation | None:
    if resident["participation_agreed_at"] is None:
        return None
    return Participation(
        resident["participation_wording"],
        resident["participation_language"],
        resident["participation_agreed_at"],
    )


def _model_row(consent: ModelConsent | None) -> Row | None:
    if consent is None:
        return None
    return {**asdict(consent), "decided_at": consent.decided_at.isoformat()}


def _model(row: Row | None) -> ModelConsent | None:
    if row is None:
        return None
    return ModelConsent(**{**row, "decided_at": datetime.fromisoformat(row["decided_at"])})


def _story(row: Row, rows: Rows) -> Story:
    def own(table: str) -> list[Row]:
        mine = [r for r in rows[table].values() if r["story_id"] == row["id"]]
        return sorted(mine, key=lambda r: r.get("position", 0))

    parts = {
        StoryOf(part["stage"]): Part(StoryOf(part["stage"]), part["sketch"], list(part["pieces"]))
        for part in own("parts")
    }
    for telling in own("tellings"):
        parts[StoryOf(telling["stage"])].tellings.append(
            Telling(
                telling["number"],
                telling["text"],
                Origin(telling["origin"]),
                telling["told_at"],
                telling["teller_share"],
            )
        )
    commitment = Commitment(
        row["commitment_who"],
        row["commitment_what"],
        row["commitment_when"],
        row["commitment_where"],
    )
    return Story(
        id=row["id"],
        language=row["language"],
        begun_at=row["begun_at"],
        status=StoryStatus(row["status"]),
        parts={stage: parts[stage] for stage in StoryOf if stage in parts},
        link=row["link"],
        commitment=commitment if row["committed"] else None,
        listener=row["listener"],
        interpretation={r["field"]: r["answer"] for r in own("self_interpretations")},
        kept_passages=tuple(row["kept_passages"]),
        readings=[
            ReadingRecord(
                stage=StoryOf(r["stage"]),
                telling=r["telling"],
                statuses=dict(r["statuses"]),
                modes=tuple(FailureMode(mode) for mode in r["modes"]),
                reader=r["reader"],
                read_at=r["read_at"],
            )
            for r in own("readings")
        ],
        releases=[release_of(r) for r in own("releases")],
        offers=[offer_of(r) for r in own("offers")],
        submitted_at=row["submitted_at"],
        withdrawn_at=row["withdrawn_at"],
    )


def release_of(row: Mapping[str, Any]) -> Release:
    """The release a row of `releases` stands for."""
    return Release(
        id=row["id"],
        text=row["text"],
        text_sha256=row["text_sha256"],
        purposes=frozenset(Purpose(purpose) for purpose in row["purposes"]),
        name_shown=NameShown(row["name_shown"]),
        name=row["name"],
        wording=row["wording"],
        language=row["language"],
        released_at=row["released_at"],
        expires_at=row["expires_at"],
        teller_share=row["teller_share"],
        ended_at=row["ended_at"],
        ended_because=row["ended_because"],
    )


def offer_of(row: Mapping[str, Any]) -> Offer:
    """The offer a row of `offers` stands for."""
    groups = tuple((group_id, title) for group_id, title in json.loads(row["groups"]))
    return Offer(release_of(row), row["prompt"], row["question"], groups)
