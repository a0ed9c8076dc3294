"""What may go wrong with a server, as fixed words, and when asking once more is safe."""

from __future__ import annotations

import openai
from pydantic import ValidationError

HOPELESS = ("refused_key", "refused_request")
"""Asking again would change nothing until somebody mends a setting."""

TELLS_NOTHING = ("not_the_schema", "filtered")
"""The server is well; only this answer was of no use."""

SHORT_PAUSE = 0.3
"""Seconds before the one retry when the server names none."""

ROOM = 1.0
"""Seconds that must be left after a pause for a retry to make sense."""


def reason_of(error: BaseException) -> str:
    """A fixed word for an error, never its own words: those may hold somebody's story."""
    match error:
        case openai.APITimeoutError():
            return "late"
        case openai.APIConnectionError():
            return "unreachable"
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return "refused_key"
        case openai.RateLimitError():
            return "rate_limited"
        case openai.ContentFilterFinishReasonError():
            return "filtered"
        case openai.APIStatusError() if error.status_code >= 500:
            return "server_error"
        case openai.APIStatusError():
            return "refused_request"
        case openai.LengthFinishReasonError() | ValidationError() | ValueError() | TypeError():
            return "not_the_schema"
        case LookupError() | AttributeError():
            return "not_the_schema"  # An answer with parts missing, where a library trips.
        case _:
            return "failed"


def pause_before_retry(error: BaseException | None, seconds_left: float) -> float | None:
    """Seconds to wait before asking once more; None when it is not safe or there is no time.

    Safe: the server was not reached, was busy, or broke; nothing there is changed by asking. Not
    safe: a stall, because the first request may still be worked on and paid for.
    """
    match error:
        case openai.APITimeoutError():
            return None
        case openai.APIConnectionError():
            pause = SHORT_PAUSE
        case openai.RateLimitError():
            pause = _named(error)
        case openai.APIStatusError() if error.status_code in (500, 502, 503, 529):
            pause = _named(error)
        case _:
            return None
    return pause if pause + ROOM <= seconds_left else None


def _named(error: openai.APIStatusError) -> float:
    """The pause a server asks for in whole or broken seconds, else a short one."""
    try:
        return max(float(error.response.headers.get("retry-after", "")), 0.0)
    except ValueError:
        return SHORT_PAUSE
