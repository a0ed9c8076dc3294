"""Voice notes: which file one is, and fetching it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telegram import Bot
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.request import BaseRequest

from bot.core.conversation.voice import LARGEST, SPOKEN
from bot.usecases.ports import FileGone, FileTooBig, TranscriptionUnavailable


def recording_of(message: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """The file of a voice note or an audio file, and its bytes when Telegram says; else nothing."""
    for kind in SPOKEN:
        body = message.get(kind)
        if isinstance(body, Mapping) and isinstance(body.get("file_id"), str):
            size = body.get("file_size")
            return body["file_id"], size if isinstance(size, int) else None
    return None, None


class TelegramRecordings:
    """Implements ports.Recordings. A link to a file is good for an hour; it is asked for afresh."""

    def __init__(self, token: str, base_url: str, request: BaseRequest | None = None) -> None:
        """`base_url` is the Bot API server's; `request` replaces HTTP."""
        self._bot = Bot(
            token, base_url=f"{base_url}/bot", base_file_url=f"{base_url}/file/bot", request=request
        )

    async def fetch(self, file: str) -> bytes:
        """A recording's bytes. Raises FileGone, FileTooBig or TranscriptionUnavailable."""
        try:
            found = await self._bot.get_file(file)
            if found.file_size is not None and found.file_size > LARGEST:
                raise FileTooBig
            return bytes(await found.download_as_bytearray())
        except (BadRequest, InvalidToken) as error:
            # A download whose link expired is answered with 404, which looks like a wrong token.
            if "too big" in str(error).lower():
                raise FileTooBig from None
            raise FileGone from None
        except TelegramError as error:
            raise TranscriptionUnavailable(type(error).__name__) from None
        except RuntimeError:
            raise FileGone from None  # No path was given: the server no longer has it.
