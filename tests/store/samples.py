"""Folders to save: one with every field filled, and every folder hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from bot.core.consent import (
    AgeBand,
    NameShown,
    Offer,
    Participation,
    Purpose,
    Release,
    text_hash,
)
from bot.core.narrative import FailureMode, StoryOf
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
from bot.usecases.ports import InboxItem

NOW = datetime(2026, 11, 23, 9, 30, 15, 123456, tzinfo=UTC)


def an_update(update_id: int, chat_id: int = 7001, payload: str = "{}") -> InboxItem:
    """An update as received, waiting its turn."""
    return InboxItem(update_id, chat_id, payload, NOW)


def a_newcomer(resident_id: str = "r-1", chat_id: int = 7001, name: str = "Amina Diallo") -> Folder:
    """A folder with nothing but a resident in it, never saved."""
    return Folder(
        Resident(resident_id, joined_at=NOW, last_seen_at=NOW),
        Identity(telegram_id=chat_id, chat_id=chat_id, name=name),
        Session(),
    )


def a_story(story_id: str = "s-1", words: str = "The landlord came at dawn.") -> Story:
    """A story told in every part, with every field filled, released and submitted."""
    story = Story(story_id, "en", NOW)
    for stage in StoryOf:
        part = story.parts[stage]
        part.sketch = f"a line about {stage.value}"
        part.pieces = ["said just now", "and then"]
        part.tell(f"First try at {stage.value}.", Origin.TOLD, NOW)
        part.tell(f"{words} ({stage.value})", Origin.RETOLD, NOW + timedelta(minutes=5), 0.75)
    story.link = "We stay."
    story.commitment = Commitment("Rosa and I", "knock on doors", "Saturday", "Elm Street")
    story.listener = "my sister"
    story.interpretation = {"turning_point": "the dawn", "about": "staying", "for_whom": "us"}
    story.kept_passages = ("Elm Street", "Rosa")
    story.readings = [
        ReadingRecord(
            StoryOf.SELF,
            2,
            {"self.challenge": "present", "self.choice": "weak"},
            (FailureMode.NO_CHOICE, FailureMode.WHOLE_LIFE),
            "embedded 1",
            NOW,
        )
    ]
    story.releases = [
        a_release("rel-1", "An older text.").ended(NOW, "edited"),
        a_release("rel-2", story.whole()),
    ]
    words = story.parts[StoryOf.SELF].text
    offered = replace(a_release("off-1", words), purposes=frozenset({Purpose.FOLLOW_UP}))
    story.offers = [Offer(offered, "door", "Who opened a door?", (("g-1", "Hill"), ("g-2", "ñ")))]
    story.status = StoryStatus.SUBMITTED
    story.submitted_at = NOW + timedelta(hours=1)
    story.withdrawn_at = NOW + timedelta(days=9)
    return story


def a_release(release_id: str, text: str) -> Release:
    """A live release of `text` for two purposes, for a year."""
    return Release(
        id=release_id,
        text=text,
        text_sha256=text_hash(text),
        purposes=frozenset({Purpose.ORGANIZERS, Purpose.PUBLIC_LIBRARY}),
        name_shown=NameShown.CHOSEN,
        name="A neighbour",
        wording="2026-11",
        language="en",
        released_at=NOW,
        expires_at=NOW + timedelta(days=365),
        teller_share=0.9,
    )


def a_full_folder(resident_id: str = "r-1", chat_id: int = 7001) -> Folder:
    """A folder with every field filled, never saved."""
    folder = a_newcomer(resident_id, chat_id)
    folder.resident.language = "es"
    folder.resident.age_band = AgeBand.ADULT
    folder.resident.participation = Participation("2026-11", "es", NOW)
    folder.session = Session(
        "telling",
        12,
        0,
        f"{resident_id}-s-1",
        {"asked": ["now.ask"], "rounds": 2, "deep": {"a": None}},
    )
    folder.stories = [
        a_story(f"{resident_id}-s-1"),
        Story(f"{resident_id}-s-2", "es", NOW + timedelta(days=1)),
    ]
    folder.shown_examples = ["corpus:17#2", "corpus:3#1"]
    return folder


# What people and broken clients type: any character, NUL and half surrogates included.
_typed = st.text(st.characters(exclude_categories=()), max_size=12)
_moments = st.timedeltas(timedelta(days=-9000), timedelta(days=27000)).map(NOW.__add__)
_share = st.floats(0, 1)
_ids = st.text("abcdef0123456789-", min_size=1, max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _typed,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_typed, inner, max_size=2),
    max_leaves=4,
)
_tellings = st.lists(
    st.builds(Telling, st.integers(1, 99), _typed, st.sampled_from(Origin), _moments, _share),
    max_size=2,
)
_readings = st.builds(
    ReadingRecord,
    st.sampled_from(StoryOf),
    st.integers(1, 99),
    st.dictionaries(_typed, _typed, max_size=2),
    st.lists(st.sampled_from(FailureMode), max_size=2).map(tuple),
    st.text("abc 0123", max_size=9),
    _moments,
)
_releases = st.builds(
    Release,
    _ids,
    _typed,
    _ids,
    st.frozensets(st.sampled_from(Purpose), max_size=3),
    st.sampled_from(NameShown),
    _typed,
    _ids,
    _ids,
    _moments,
    _moments,
    _share,
    st.none() | _moments,
    st.sampled_from([None, "edited", "revoked"]),
)
_offers = st.builds(
    Offer, _releases, _ids, _typed, st.lists(st.tuples(_ids, _typed), max_size=2).map(tuple)
)


@st.composite
def _stories(draw: st.DrawFn, story_id: str) -> Story:
    stages = draw(st.sets(st.sampled_from(StoryOf)))
    return Story(
        id=story_id,
        language=draw(st.sampled_from(["en", "es"])),
        begun_at=draw(_moments),
        status=draw(st.sampled_from(StoryStatus)),
        parts={
            stage: Part(
                stage,
                draw(st.none() | _typed),
                draw(st.lists(_typed, max_size=2)),
                draw(_tellings),
            )
            for stage in stages
        },
        link=draw(st.none() | _typed),
        commitment=draw(st.none() | st.builds(Commitment, _typed, _typed, _typed, _typed)),
        listener=draw(st.none() | _typed),
        interpretation=draw(st.dictionaries(_ids, _typed, max_size=3)),
        kept_passages=tuple(draw(st.lists(_typed, max_size=2))),
        readings=draw(st.lists(_readings, max_size=2)),
        releases=draw(st.lists(_releases, max_size=2)),
        offers=draw(st.lists(_offers, max_size=2)),
        submitted_at=draw(st.none() | _moments),
        withdrawn_at=draw(st.none() | _moments),
    )


@st.composite
def folders(draw: st.DrawFn) -> Folder:
    """Any folder of one resident (`r-any`) that was never saved."""
    ids = draw(st.lists(_ids, max_size=2, unique=True))
    return Folder(
        Resident(
            "r-any",
            draw(_moments),
            draw(_moments),
            draw(st.sampled_from([None, "en", "es"])),
            draw(st.none() | st.sampled_from(AgeBand)),
            draw(st.none() | st.builds(Participation, _ids, _ids, _moments)),
        ),
        Identity(draw(st.integers(1, 2**52)), draw(st.integers(1, 2**52)), draw(_typed)),
        Session(
            draw(_ids),
            draw(st.integers(0, 2**31 - 1)),
            0,
            draw(st.none() | _ids),
            draw(st.dictionaries(_typed, _json, max_size=2)),
        ),
        [draw(_stories(story_id)) for story_id in ids],
        draw(st.lists(_ids, max_size=3)),
    )
