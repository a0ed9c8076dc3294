"""Every dialogue in this folder is played against the real bot, and every turn checked."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.core.care import Safety
from bot.usecases.ports import Reader, Retriever, Screener
from tests.conversations.manners import broken, left_behind
from tests.conversations.playing import Stage, opened
from tests.conversations.script import ACTIONS, CLAIMS, Dialogue, dialogues, hear
from tests.fakes import ScriptedScreener, SteadyReader, corpus_retriever

ALL = dialogues()


@pytest.mark.parametrize("dialogue", ALL, ids=lambda d: d.name)
async def test_the_coach_keeps_its_manners_and_does_what_the_dialogue_says(
    dialogue: Dialogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rooms = SteadyReader(), ScriptedScreener(), corpus_retriever()
    await play(dialogue, tmp_path, rooms, caplog)


@pytest.mark.parametrize("dialogue", [d for d in ALL if d.embedded], ids=lambda d: d.name)
async def test_so_it_does_with_the_embedded_reader(
    dialogue: Dialogue,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    real_rooms: tuple[Reader, Screener, Retriever],
) -> None:
    await play(dialogue, tmp_path, real_rooms, caplog)


def ordinary_lines() -> list[tuple[str, str]]:
    """What people type in the dialogues where no danger is marked, with its language."""
    return [
        (text, dialogue.language)
        for dialogue in ALL
        for step in dialogue.steps
        if (text := str(step.get("they", ""))) and "screener hears" not in step
        if not text.startswith("/") and dialogue.name not in ABOUT_HARM
    ]


ABOUT_HARM = ("en-all-hurt", "es-dolor", "en-crisis", "es-crisis")


async def test_an_ordinary_telling_is_never_taken_for_danger(
    real_rooms: tuple[Reader, Screener, Retriever],
) -> None:
    """A false alarm stops the story and throws the words away, so not one is acceptable here."""
    _, screener, _ = real_rooms
    alarms = [
        text
        for text, language in ordinary_lines()
        if await screener.safety(text, language) is Safety.CRISIS
    ]
    assert not alarms, "taken for danger:\n" + "\n".join(alarms)


async def play(
    dialogue: Dialogue,
    home: Path,
    rooms: tuple[Reader, Screener, Retriever],
    caplog: pytest.LogCaptureFixture,
    model: str | None = None,
) -> None:
    """Do every step, then fail once with everything that was wrong, and the whole transcript."""
    caplog.set_level(logging.ERROR)
    faults: list[str] = []
    async with opened(home, *rooms, dialogue.language, model) as stage:
        checked = 0
        for number, step in enumerate(dialogue.steps, 1):
            hear(stage, step)
            action = next(k for k in step if k in ACTIONS)
            try:
                turn = await ACTIONS[action](stage, step[action])
                yes = stage.choice_label("model_yes", turn.language)
                if model and any(yes in row for row in turn.open_labels):
                    turn = await ACTIONS["they press"](stage, yes)
            except AssertionError as error:
                faults.append(f"step {number}: {error}")
                break
            for claim in (k for k in step if k in CLAIMS):
                if not CLAIMS[claim](stage, turn, step[claim]):
                    faults.append(f"step {number} ({step[action]}): not so: {claim}: {step[claim]}")
            for taken in stage.turns[checked:]:
                faults += [f"step {number}: {fault}" for fault in broken(stage, taken)]
            checked = len(stage.turns)
        told = transcript(stage)
    faults += left_behind(stage)
    faults += [f"an error was logged: {r.getMessage()}" for r in caplog.records]
    assert not faults, "\n".join([dialogue.title, *faults, "", told])


def transcript(stage: Stage) -> str:
    """The dialogue as it went, for whoever reads the failure."""
    lines = []
    for entry in stage.api.transcript(stage.person):
        labels = " ".join(f"[{label}]" for row in entry.buttons for label in row)
        shown = entry.text or (f"(file {entry.document})" if entry.document else "(no words)")
        lines.append(f"{'C' if entry.who == 'bot' else 'R'}: {shown} {labels}".rstrip())
    return "\n".join(lines)
