"""Voice notes written down by an OpenAI-compatible audio/transcriptions endpoint."""

from __future__ import annotations

import logging

import openai

from bot.llm.faults import reason_of
from bot.usecases.ports import TranscriptionUnavailable

log = logging.getLogger(__name__)


class ModelTranscriber:
    """Implements ports.Transcriber. Nothing of a recording or its words is kept or logged."""

    def __init__(self, model: str, key: str, base_url: str | None, seconds: float = 20.0) -> None:
        """`seconds` is the longest one note may take."""
        self._model = model
        self._client = openai.AsyncOpenAI(
            api_key=key, base_url=base_url, timeout=seconds, max_retries=1
        )

    async def transcribe(self, recording: bytes, language: str) -> str:
        """The words as heard, maybe none. Raises TranscriptionUnavailable."""
        try:
            # Telegram's voice notes are Opus in Ogg; the name tells the server so.
            heard = await self._client.audio.transcriptions.create(
                model=self._model,
                file=("voice.ogg", recording, "audio/ogg"),
                language=language,
                response_format="json",
            )
        except Exception as error:
            reason = reason_of(error)
            log.warning("a voice note was not written down: %s", reason)
            raise TranscriptionUnavailable(reason) from None
        text = getattr(heard, "text", None)
        if not isinstance(text, str):
            raise TranscriptionUnavailable("not_the_schema")
        return text.strip()
