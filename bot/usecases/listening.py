"""Having a voice note written down: fetched from Telegram, sent off, and never kept."""

from __future__ import annotations

import asyncio

from bot.core.turn import Transcribe, Transcript
from bot.usecases.ports import (
    FileGone,
    FileTooBig,
    Meter,
    Recordings,
    Transcriber,
    TranscriptionUnavailable,
    Unmeasured,
)

PATIENCE = 25.0
"""Seconds to wait for a voice note's words: who speaks for two minutes expects to wait a little."""


class Listening:
    """Recordings as words. Nothing is kept on the way."""

    def __init__(
        self,
        recordings: Recordings,
        transcriber: Transcriber,
        meter: Meter | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`patience` is seconds, see PATIENCE."""
        self._recordings, self._transcriber = recordings, transcriber
        self._meter, self._patience = meter or Unmeasured(), patience

    async def hear(self, need: Transcribe, language: str) -> Transcript:
        """The words of a voice note, or why there are none."""
        try:
            async with asyncio.timeout(self._patience):
                recording = await self._recordings.fetch(need.file)
                text = await self._transcriber.transcribe(recording, language)
        except FileTooBig:
            heard = Transcript(trouble="too_big")
        except FileGone:
            heard = Transcript(trouble="gone")
        except (TranscriptionUnavailable, TimeoutError):
            heard = Transcript(trouble="cannot")
        else:
            heard = Transcript(text) if text.strip() else Transcript(trouble="nothing")
        self._meter.count("model", f"voice_{heard.trouble or 'heard'}")
        return heard
