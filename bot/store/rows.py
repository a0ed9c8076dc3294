"""A folder as rows, and rows as a folder: nothing is lost on the way, nothing is shared.

Pure functions; no database here. `Rows` maps each table's name to its rows by primary key, so
that what changed between two folders is a comparison of two dictionaries. A turn changes one story
of many at most, so rows of a story that is as it was are not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Table

from bot import plain
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
Records = dict[tuple[str, str], tuple[Any, ...]]
"""What the rows of a story are made of, in order, by table and by part of the story ("" for the
whole). Nobody changes them, and most only grow at their end."""

OWN = tuple(t for t in tables.OF_FOLDER if t is not tables.stories and t not in tables.OF_STORY)
"""Tables of the folder itself."""
TOLD = tuple(t for t in tables.OF_FOLDER if t not in OWN)
"""Tables of its stories."""


@dataclass(frozen=True)
class Written:
    """A folder as rows: its own, and those of each story by the story's id.

    Beside a story's rows stands what each of them is made of. Where that is the same in two
    states of a folder they share the row, which is therefore never changed.
    """

    own: Rows
    stories: Mapping[str, tuple[Records, Rows]]

    @property
    def resident_id(self) -> str:
        """Whose folder it is."""
        (key,) = self.own["residents"]
        return str(key[0])

    @property
    def session(self) -> Row:
        """The one row of the conversation, with the folder's version."""
        (row,) = self.own["sessions"].values()
        return row

    def whole(self) -> Rows:
        """All rows of every table."""
        return self.without(())

    def without(self, left_out: Iterable[str]) -> Rows:
        """All rows, those of some stories left out."""
        kept = [rows for key, (_, rows) in self.stories.items() if key not in left_out]
        if len(kept) == 1:
            return {**self.own, **kept[0]}
        told = {t.name: {k: r for rows in kept for k, r in rows[t.name].items()} for t in TOLD}
        return {**self.own, **told}


NOTHING = Written({table.name: {} for table in OWN}, {})
"""A folder that was never written."""


def differing(one: Written, other: Written) -> tuple[Rows, Rows]:
    """All rows of both, but for stories that are the same in both."""
    same = {
        key for key, (_, rows) in one.stories.items()
        if key in other.stories and other.stories[key][1] is rows
    }  # fmt: skip
    return one.without(same), other.without(same)


@cache
def _names_of_key(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)


def keyed(table: Table, rows: Iterable[Row]) -> dict[Key, Row]:
    """Rows by primary key."""
    names = _names_of_key(table)
    return {tuple([row[name] for name in names]): row for row in rows}


def to_rows(folder: Folder) -> Rows:
    """Every row the folder is made of. The copies share nothing with the folder.

    Raises TypeError when `session.notes` is not plain JSON.
    """
    return written(folder).whole()


def written(folder: Folder, like: Written = NOTHING) -> Written:
    """The folder as rows; those of stories that are as they are in `like` are taken from there.

    What is made anew shares nothing with the folder. Raises as `to_rows`.
    """
    stories = {}
    for position, story in enumerate(folder.stories):
        records = _records(folder.resident.id, position, story)
        known = like.stories.get(story.id)
        if known is not None and known[0] == records:
            stories[story.id] = known
        else:
            stories[story.id] = records, _rows_of_story(story.id, records, *(known or ({}, {})))
    return Written(_own_rows(folder), stories)


def _rows_of_story(story_id: str, records: Records, known: Records, rows: Rows) -> Rows:
    """Rows of a story; those whose records are `known` are taken from `rows`.

    A table whose records are all as they were is taken whole: nothing is done for each of its rows.
    """
    made: Rows = {}
    for table in TOLD:
        name = table.name
        now = {part: held for (of, part), held in records.items() if of == name}
        before = {part: held for (of, part), held in known.items() if of == name}
        if name in rows and now == before:
            made[name] = rows[name]
            continue
        has_grown = all(now.get(part, ())[: len(held)] == held for part, held in before.items())
        made[name] = dict(rows.get(name, {})) if has_grown else {}
        for part, held in now.items():
            was = before.get(part, ())
            for number in range(len(was) if has_grown else 0, len(held)):
                record = held[number]
                key = _KEYS[name](story_id, part, number, record)
                is_same = number < len(was) and was[number] == record
                made[name][key] = rows[name][key] if is_same else _MAKE[name](key, record)
    return made


def _records(resident_id: str, position: int, story: Story) -> Records:
    """What every row of a story is made of."""
    told = (
        resident_id,
        position,
        story.language,
        story.begun_at,
        story.status,
        story.link,
        story.commitment,
        story.listener,
        story.kept_passages,
        story.submitted_at,
        story.withdrawn_at,
    )
    answers = enumerate(story.interpretation.items())
    records: Records = {
        ("stories", ""): (told,),
        ("readings", ""): tuple(story.readings),
        ("releases", ""): tuple(story.releases),
        ("offers", ""): tuple(story.offers),
        ("self_interpretations", ""): tuple((f, number, said) for number, (f, said) in answers),
    }
    for stage, part in story.parts.items():
        records["parts", stage.value] = ((part.sketch, tuple(part.pieces)),)
        records["tellings", stage.value] = tuple(part.tellings)
    return records


def _own_rows(folder: Folder) -> Rows:
    resident, identity, session = folder.resident, folder.identity, folder.session
    agreed = resident.participation
    return {
        "residents": {
            (resident.id,): {
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
        },
        "identities": keyed(
            tables.identities,
            [
                {
                    "resident_id": resident.id,
                    "telegram_id": identity.telegram_id,
                    "chat_id": identity.chat_id,
                    "name": identity.name,
                    "name_folded": identity.name.casefold(),
                }
            ],
        ),
        "sessions": {
            (resident.id,): {
                "resident_id": resident.id,
                "step": session.step,
                "turn": session.turn,
                "version": session.version,
                "story_id": session.story_id,
                "notes": plain.copied(session.notes),
            }
        },
        "shown_examples": keyed(
            tables.shown_examples,
            [
                {"resident_id": resident.id, "position": position, "passage_id": passage}
                for position, passage in enumerate(folder.shown_examples)
            ],
        ),
    }


def _story_row(key: Key, record: tuple[Any, ...]) -> Row:
    (
        resident_id,
        position,
        language,
        begun_at,
        status,
        link,
        commitment,
        listener,
        kept_passages,
        submitted_at,
        withdrawn_at,
    ) = record
    yes = commitment or Commitment()
    return {
        "id": key[0],
        "resident_id": resident_id,
        "position": position,
        "language": language,
        "begun_at": begun_at,
        "status": status.value,
        "link": link,
        "link_words": count_words(link or ""),
        "committed": commitment is not None,
        "commitment_who": yes.who,
        "commitment_what": yes.what,
        "commitment_when": yes.when,
        "commitment_where": yes.where,
        "listener": listener,
        "kept_passages": list(kept_passages),
        "submitted_at": submitted_at,
        "withdrawn_at": withdrawn_at,
    }


def _part_row(key: Key, record: tuple[str | None, tuple[str, ...]]) -> Row:
    sketch, pieces = record
    return {"story_id": key[0], "stage": key[1], "sketch": sketch, "pieces": list(pieces)}


def _telling_row(key: Key, telling: Telling) -> Row:
    return {
        "story_id": key[0],
        "stage": key[1],
        "position": key[2],
        "number": telling.number,
        "text": telling.text,
        "words": count_words(telling.text),
        "origin": telling.origin.value,
        "told_at": telling.told_at,
        "teller_share": telling.teller_share,
    }


def _reading_row(key: Key, reading: ReadingRecord) -> Row:
    return {
        "story_id": key[0],
        "position": key[1],
        "stage": reading.stage.value,
        "telling": reading.telling,
        "statuses": dict(reading.statuses),
        "modes": [mode.value for mode in reading.modes],
        "reader": reading.reader,
        "read_at": reading.read_at,
    }


def _released_row(key: Key, release: Release) -> Row:
    return {"story_id": key[0], "position": key[1], **_release_row(release)}


def _offer_row(key: Key, offer: Offer) -> Row:
    return {
        "story_id": key[0],
        "position": key[1],
        **_release_row(offer.release),
        "prompt": offer.prompt,
        "question": offer.question,
        "groups": json.dumps(offer.groups, ensure_ascii=False),
    }


def _interpretation_row(key: Key, record: tuple[str, int, str]) -> Row:
    _, position, answer = record
    return {
        "story_id": key[0],
        "field": key[1],
        "position": position,
        "answer": answer,
        "asserted_by": "teller",
    }


_KEYS: dict[str, Callable[[str, str, int, Any], Key]] = {
    "stories": lambda story, part, number, record: (story,),
    "parts": lambda story, part, number, record: (story, part),
    "tellings": lambda story, part, number, record: (story, part, number),
    "readings": lambda story, part, number, record: (story, number),
    "releases": lambda story, part, number, record: (story, number),
    "offers": lambda story, part, number, record: (story, number),
    "self_interpretations": lambda story, part, number, record: (story, record[0]),
}
_MAKE: dict[str, Callable[[Key, Any], Row]] = {
    "stories": _story_row,
    "parts": _part_row,
    "tellings": _telling_row,
    "readings": _reading_row,
    "releases": _released_row,
    "offers": _offer_row,
    "self_interpretations": _interpretation_row,
}


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


def gathered(rows: Rows) -> tuple[Written, Folder]:
    """Rows as a database has them, put in order, and the folder they are made of."""
    own = {table.name: rows[table.name] for table in OWN}
    apart: dict[str, Rows] = {
        str(row["id"]): {table.name: {} for table in TOLD} for row in rows["stories"].values()
    }
    for table in TOLD:
        whose = "id" if table is tables.stories else "story_id"
        for key, row in rows[table.name].items():
            # A story begun between two queries is not here yet; the version will tell.
            if row[whose] in apart:
                apart[row[whose]][table.name][key] = row
    in_order = sorted(rows["stories"].values(), key=lambda row: row["position"])
    found = [_story(apart[row["id"]]) for row in in_order]
    stories = {
        story.id: (_records(row["resident_id"], row["position"], story), apart[story.id])
        for row, story in zip(in_order, found, strict=True)
    }
    one = Written(own, stories)
    return one, _folder(one, found)


def from_rows(rows: Written) -> Folder:
    """The folder those rows are made of; the folder shares nothing with them."""
    return _folder(rows, [_story(held) for _, held in rows.stories.values()])


def _folder(rows: Written, stories: list[Story]) -> Folder:
    (resident,) = rows.own["residents"].values()
    (identity,) = rows.own["identities"].values()
    session = rows.session
    shown = sorted(rows.own["shown_examples"].values(), key=lambda row: row["position"])
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
            notes=plain.copied(session["notes"]),
        ),
        stories=stories,
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


def _story(rows: Rows) -> Story:
    (row,) = rows["stories"].values()

    def own(table: str) -> list[Row]:
        return sorted(rows[table].values(), key=lambda r: r.get("position", 0))

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
