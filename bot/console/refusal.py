"""Refusals of the Bot API, in Telegram's words and codes."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """The Bot API's answer when it will not do what a method asks.

    `code` is the HTTP status; `description` is Telegram's sentence, which names no content;
    `parameters` are the Bot API's ResponseParameters, such as `retry_after` in seconds.
    """

    def __init__(
        self, code: int, description: str, parameters: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = dict(parameters or {})


def bad_request(why: str) -> Refused:
    """A 400, opened as Telegram opens it."""
    return Refused(400, f"Bad Request: {why}")


def forbidden(why: str) -> Refused:
    """A 403, opened as Telegram opens it."""
    return Refused(403, f"Forbidden: {why}")


def conflict(why: str) -> Refused:
    """A 409, opened as Telegram opens it."""
    return Refused(409, f"Conflict: {why}")


def too_many_requests(retry_after: int) -> Refused:
    """A 429 that asks to wait `retry_after` seconds."""
    return Refused(
        429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after}
    )
