"""Voice notes: written down elsewhere, they count only once the teller says the words are right."""

from __future__ import annotations

from bot.core.care import Safety
from bot.core.conversation import caring
from bot.core.conversation.talk import STEPS, Talk, buttons, not_understood
from bot.core.quoting import cleaned, has_words
from bot.core.turn import Asking, Line, safety_of, transcript_of

SPOKEN = ("voice", "audio")
"""What can be listened to."""

LARGEST = 20_000_000
"""Bytes of a file that a bot may fetch from Telegram."""


def can_listen(talk: Talk) -> bool:
    """Whether this is a voice note that we can, and may, have written down."""
    return (
        talk.heard.other in SPOKEN
        and talk.heard.file is not None
        and talk.able.voice_at is not None
        and talk.folder.resident.lets_model(talk.able.at)
    )


def listen(talk: Talk) -> Asking[None]:
    """Write the note down, look for danger in it first, then show what was heard."""
    heard = talk.heard
    if heard.size is not None and heard.size > LARGEST:
        talk.say("model.voice.too_big")
        return
    transcript = yield from transcript_of(heard.file or "", heard.size)
    text = cleaned(transcript.text).strip()
    if transcript.trouble or not has_words(text):
        talk.say(f"model.voice.{transcript.trouble or 'nothing'}")
        return
    safety = yield from safety_of(text)
    if safety is Safety.CRISIS or (safety is Safety.DOUBT and caring.must_ask(talk)):
        caring.begin_care(talk)
        return
    back = talk.session.step if talk.session.step != "voice" else talk.note("voice_return")
    talk.go("voice", voice_text=text, voice_return=back)


def ask_voice(talk: Talk) -> None:
    """The words as heard, to confirm, mend or leave out."""
    talk.say(
        Line("model.voice.heard", {"text": talk.note("voice_text")}),
        choices=[buttons("thats_right", "not_quite"), buttons("leave_out")],
    )


def settled(talk: Talk) -> str | None:
    """Confirmed words, which now count as if typed where the teller was; None otherwise.

    Anything typed instead mends the note: it counts by itself, and what was heard is dropped.
    """
    if talk.session.step != "voice":
        return None
    if talk.choice is None:
        _leave(talk)
        return None
    if talk.choice in ("thats_right", "its_right", "yes"):
        return _leave(talk)
    return None


def _leave(talk: Talk) -> str:
    """Back to where the note came in; what was heard is no longer held."""
    text = str(talk.session.notes.pop("voice_text", ""))
    back = str(talk.session.notes.pop("voice_return", ""))
    talk.session.step = back if back in STEPS else "choose_part"
    return text


def hear_voice(talk: Talk) -> None:
    """Mend it by typing, or leave it out."""
    if talk.choice in ("not_quite", "no", "change"):
        talk.say("model.voice.mend", choices=[buttons("leave_out")])
    elif talk.choice in ("leave_out", "skip", "back", "go_on"):
        _leave(talk)
        talk.say("general.left_out")
        talk.stay()
    else:
        not_understood(talk)


STEPS.add("voice", ask_voice, hear_voice, "telling")
