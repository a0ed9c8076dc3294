"""The shape of keyboards, checked as Telegram checks it."""

from __future__ import annotations

from bot.console.call import Call
from bot.console.chats import Json
from bot.console.refusal import bad_request

BUTTONS_LIMIT = 100
ROW_LIMIT = 8
DATA_LIMIT = 64
"""Bytes of callback_data."""

_DOES_SOMETHING = frozenset(
    {
        "callback_data",
        "url",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
    }
)


def read_markup(call: Call) -> Json | None:
    """The reply_markup of a call, structure checked; None when there is none.

    Empty rows are dropped, and a keyboard left without buttons is none, as on the server.
    """
    given = call.nested("reply_markup")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in given:
        rows = _rows(given["inline_keyboard"], "inline_keyboard")
        for row in rows:
            for button in row:
                _check_inline(button)
        return {"inline_keyboard": rows} if rows else None
    if "keyboard" in given:
        rows = _rows(given["keyboard"], "keyboard")
        for row in rows:
            for at, button in enumerate(row):
                row[at] = button if "text" in button else {"text": ""}
                if not row[at]["text"]:
                    raise bad_request("keyboard button text must be non-empty")
        return dict(given) | {"keyboard": rows} if rows else None
    return dict(given) or None


def _rows(given: object, name: str) -> list[list[Json]]:
    if not isinstance(given, list):
        raise bad_request(f'field "{name}" must be of type Array')
    rows: list[list[Json]] = []
    for row in given:
        if not isinstance(row, list):
            raise bad_request(f'field "{name}" must be an Array of Arrays')
        buttons = [{"text": b} if isinstance(b, str) and name == "keyboard" else b for b in row]
        if not all(isinstance(button, dict) for button in buttons):
            raise bad_request("can't parse inline keyboard button: expected an Object")
        if buttons:
            rows.append([dict(button) for button in buttons])
    return rows


def _check_inline(button: Json) -> None:
    if not isinstance(button.get("text"), str):
        raise bad_request("can't parse inline keyboard button: can't find field \"text\"")
    if not _DOES_SOMETHING & button.keys():
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )


def check_buttons(markup: Json | None) -> None:
    """Refuse what the server refuses late: too many buttons, bad data, bad address.

    Stricter than Telegram in two places, which cuts rather than refuses: a row of more than 8
    and an empty label.
    """
    rows = (markup or {}).get("inline_keyboard")
    if not isinstance(rows, list):
        return
    if sum(len(row) for row in rows) > BUTTONS_LIMIT or any(len(r) > ROW_LIMIT for r in rows):
        raise bad_request("reply markup is too long")
    for row in rows:
        for button in row:
            if not str(button["text"]).strip():
                raise bad_request("BUTTON_TEXT_INVALID")
            data = button.get("callback_data")
            if data is not None and not 1 <= len(str(data).encode("utf-8")) <= DATA_LIMIT:
                raise bad_request("BUTTON_DATA_INVALID")
            url = button.get("url")
            if url is not None and not _is_address(str(url)):
                raise bad_request("BUTTON_URL_INVALID")


def _is_address(url: str) -> bool:
    scheme, found, rest = url.partition("://")
    if found:
        return scheme.lower() in ("http", "https", "tg", "ton") and bool(rest)
    return "." in url and " " not in url
