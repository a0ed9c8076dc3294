"""Bot API calls as they arrive over HTTP: query, form, multipart or JSON, all four as Telegram."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, unquote, urlsplit

from bot.console.call import Call, Upload
from tests.counterpart.http import Request


def split(target: str) -> tuple[str, str, str]:
    """A request's target as kind ("bot", "file" or ""), token, and what follows it."""
    path = unquote(urlsplit(target).path)
    for kind, opening in (("file", "/file/bot"), ("bot", "/bot")):
        if path.startswith(opening):
            token, _, rest = path.removeprefix(opening).partition("/")
            return kind, token, rest
    return "", "", path.strip("/")


def read_call(name: str, request: Request) -> Call:
    """The call in a request. ValueError when its body cannot be read."""
    params: dict[str, object] = dict(_pairs(urlsplit(request.target).query))
    kind = request.headers.get("content-type", "")
    files: dict[str, Upload] = {}
    if kind.startswith("application/json"):
        read = json.loads(request.body or b"{}")
        if not isinstance(read, dict):
            raise ValueError("not an object")
        params |= read
    elif kind.startswith("multipart/form-data"):
        for part, upload in _parts(request.body, kind):
            if upload.name:
                files[part] = upload
            else:
                params[part] = upload.content.decode()
    elif request.body:
        params |= _pairs(request.body.decode())
    return Call(name, params, files)


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))


def _parts(body: bytes, kind: str) -> list[tuple[str, Upload]]:
    found = re.search(r'boundary="?([^";]+)', kind)
    if found is None:
        raise ValueError("no boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + found[1].encode())
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        told = head.decode()
        field = re.search(r'[; ]name="([^"]*)"', told)
        if field is None:
            raise ValueError("a part without a name")
        file = re.search(r'filename="([^"]*)"', told)
        mime = re.search(r"(?i)content-type: *(\S+)", told)
        name = file[1] if file else ""
        parts.append(
            (field[1], Upload(name, content, mime[1] if mime else "application/octet-stream"))
        )
    return parts
