"""Telegram's text rules: HTML to text with entities, cleaning, UTF-16 lengths, splitting.

Source: the grammar and wording follow TDLib's parse_html and its published test cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NotRequired, TypedDict

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
ENTITIES_LIMIT = 100

_SPACE = " \t\r\n\v\0"
_END = "\0"
_KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "tg-emoji": "custom_emoji",
}
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")
_URL = re.compile(r"(?:https?|ftp|tg|ton|tonsite)://\S+|[^\s/:]+\.[^\s/:]{2,}\S*", re.IGNORECASE)


class MarkupError(ValueError):
    """Text that Telegram cannot parse; the message is Telegram's, with byte offsets."""


class Entity(TypedDict):
    """One MessageEntity as the Bot API writes it; offset and length in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: NotRequired[str]
    language: NotRequired[str]
    custom_emoji_id: NotRequired[str]


@dataclass(frozen=True)
class _Open:
    tag: str
    argument: str
    start: int


@dataclass(frozen=True)
class _Mark:
    """An entity still counted in characters: `start` inclusive, `end` exclusive."""

    kind: str
    start: int
    end: int
    argument: str = ""


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, as Telegram counts offsets and limits."""
    return len(text) + sum(1 for c in text if c > "\uffff")


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """Read Telegram's HTML style: the text a person sees, and its entities.

    The text is cleaned and trimmed as on sending. Raises MarkupError.
    """
    text, marks = _Parser(source).parse()
    return _settle(text, marks)


def plain(source: str) -> tuple[str, list[Entity]]:
    """Clean and trim text sent without a parse mode; it has no entities."""
    return _settle(source, [])


def commands(text: str) -> list[Entity]:
    """The bot_command entities a client or server finds in a text."""
    return [
        Entity(
            type="bot_command",
            offset=utf16_length(text[: m.start()]),
            length=utf16_length(m.group()),
        )
        for m in _COMMAND.finditer(text)
    ]


def split_as_clients_do(text: str, limit: int = TEXT_LIMIT) -> list[str]:
    """Cut typed text into the messages a Telegram client would send.

    Pieces have at most `limit` UTF-16 units and may be as short as half of it: the cut goes
    to the last line end, sentence end or space in the second half, as desktop clients do.
    Blank edges are trimmed; text with nothing to see gives no piece.
    """
    pieces: list[str] = []
    rest = plain(text)[0]
    while utf16_length(rest) > limit:
        cut = _cut(rest, limit)
        piece = rest[:cut].strip()
        if piece:
            pieces.append(piece)
        rest = rest[cut:].strip()
    return [*pieces, rest] if rest else pieces


def _cut(text: str, limit: int) -> int:
    end = units = 0
    while (units := units + (2 if text[end] > "\uffff" else 1)) <= limit:
        end += 1
    half = end // 2
    for pattern in (r"\n", r"[.!?…]\s", r"\s"):
        found = [m.end() for m in re.finditer(pattern, text[half:end])]
        if found:
            return half + found[-1]
    return end


def _cleaned(char: str) -> str:
    """What Telegram keeps of one character: control marks vanish or become a space."""
    code = ord(char)
    if char in "\n":
        return char
    if char == "\r" or code == 0 or 0x2028 <= code <= 0x202E or code in (0x333, 0x33F, 0x30A):
        return ""
    return " " if code < 32 else char


def _settle(text: str, marks: list[_Mark]) -> tuple[str, list[Entity]]:
    """Clean and trim, moving entities along, then count them in UTF-16 units."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise MarkupError("Text must be encoded in UTF-8") from None
    kept = [_cleaned(c) for c in text]
    cleaned = "".join(kept)
    end = len(cleaned.rstrip(" \n"))
    begin = len(cleaned) - len(cleaned.lstrip(" \n"))
    begin = min(begin, end)
    at = [0]
    for piece in kept:
        at.append(at[-1] + len(piece))
    shown = cleaned[begin:end]
    units = [0]
    for char in shown:
        units.append(units[-1] + (2 if char > "\uffff" else 1))

    entities: list[Entity] = []
    for mark in marks:
        start = min(max(at[mark.start], begin), end) - begin
        stop = min(max(at[mark.end], begin), end) - begin
        if stop <= start:
            continue
        entity = Entity(type=mark.kind, offset=units[start], length=units[stop] - units[start])
        if mark.kind == "text_link":
            entity["url"] = mark.argument
        elif mark.kind == "pre" and mark.argument:
            entity["language"] = mark.argument
        elif mark.kind == "custom_emoji":
            entity["custom_emoji_id"] = mark.argument
        entities.append(entity)
    entities.sort(key=lambda e: (e["offset"], -e["length"]))
    return shown, entities[:ENTITIES_LIMIT]


class _Parser:
    """One pass over the source; `at` never passes the closing NUL."""

    def __init__(self, source: str) -> None:
        self.source = source.replace("\0", "") + _END
        self.at = 0
        self.out: list[str] = []
        self.open: list[_Open] = []
        self.marks: list[_Mark] = []

    def parse(self) -> tuple[str, list[_Mark]]:
        while self.source[self.at] != _END:
            if self.source[self.at] == "<":
                if self.source[self.at + 1] == "/":
                    self._end_tag()
                else:
                    self._start_tag()
            else:
                self.out.append(self._character())
        if self.open:
            raise MarkupError(
                f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"'
            )
        if any("\ud800" <= c <= "\udfff" for c in self.out):
            raise MarkupError(
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            )
        return "".join(self.out), _merge_code(self.marks)

    def _byte(self, position: int) -> int:
        return len(self.source[:position].encode("utf-8", "surrogatepass"))

    def _character(self) -> str:
        """One character of text, an HTML reference decoded; moves past it."""
        char = self.source[self.at]
        if char == "&":
            decoded, after = self._reference()
            if decoded:
                self.at = after
                return decoded
        self.at += 1
        return char

    def _reference(self) -> tuple[str, int]:
        found = re.compile(r"&(?:#x([0-9A-Fa-f]*)|#([0-9]*)|([A-Za-z]*))").match(
            self.source, self.at
        )
        if found is None:
            return "", self.at
        after = found.end()
        hexadecimal, decimal, name = found.groups()
        if name is not None:
            decoded = _NAMED.get(name, "")
        else:
            code = int(hexadecimal or "0", 16) if hexadecimal is not None else int(decimal or "0")
            if code == 0 or code >= 0x10FFFF or after - self.at >= 10:
                return "", self.at
            decoded = chr(code)
        return decoded, after + (self.source[after] == ";")

    def _skip_space(self) -> None:
        while self.source[self.at] != _END and self.source[self.at] in _SPACE:
            self.at += 1

    def _skip_until(self, stops: str) -> str:
        begin = self.at
        while self.source[self.at] not in stops:
            self.at += 1
        return self.source[begin : self.at]

    def _start_tag(self) -> None:
        begin = self.at
        self.at += 1
        tag = self._skip_until(_SPACE + ">").lower()
        if self.source[self.at] == _END:
            raise MarkupError(f"Unclosed start tag at byte offset {self._byte(begin)}")
        if tag not in _KINDS:
            raise MarkupError(f'Unsupported start tag "{tag}" at byte offset {self._byte(begin)}')
        argument = ""
        while self.source[self.at] != ">":
            self._skip_space()
            if self.source[self.at] == ">":
                break
            name, value = self._attribute(tag, begin)
            argument = _argument(tag, name, value) or argument
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise MarkupError(
                f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(begin)}'
            )
        self.open.append(_Open(tag, argument, len(self.out)))

    def _attribute(self, tag: str, begin: int) -> tuple[str, str | None]:
        name = self._skip_until(_SPACE + "=>/\"'").lower()
        offset = self._byte(begin)
        if not name:
            raise MarkupError(f'Empty attribute name in the tag "{tag}" at byte offset {offset}')
        self._skip_space()
        if self.source[self.at] != "=":
            if self.source[self.at] == _END:
                raise MarkupError(f'Unclosed start tag "{tag}" at byte offset {offset}')
            return name, None
        self.at += 1
        self._skip_space()
        if self.source[self.at] == _END:
            raise MarkupError(f'Unclosed start tag "{tag}" at byte offset {offset}')
        value = self._quoted() if self.source[self.at] in "'\"" else self._name_token()
        if self.source[self.at] == _END:
            raise MarkupError(f"Unclosed start tag at byte offset {offset}")
        return name, value

    def _quoted(self) -> str:
        quote = self.source[self.at]
        self.at += 1
        value: list[str] = []
        while self.source[self.at] not in (quote, _END):
            value.append(self._character())
        if self.source[self.at] == quote:
            self.at += 1
        return "".join(value)

    def _name_token(self) -> str:
        begin = self.at
        while self.source[self.at] in ".-" or (
            self.source[self.at].isascii() and self.source[self.at].isalnum()
        ):
            self.at += 1
        if self.source[self.at] not in _SPACE + ">":
            raise MarkupError(f"Unexpected end of name token at byte offset {self._byte(begin)}")
        return self.source[begin : self.at].lower()

    def _end_tag(self) -> None:
        begin = self.at
        if not self.open:
            raise MarkupError(f"Unexpected end tag at byte offset {self._byte(begin)}")
        self.at += 2
        tag = self._skip_until(_SPACE + ">").lower()
        self._skip_space()
        if self.source[self.at] != ">":
            raise MarkupError(f"Unclosed end tag at byte offset {self._byte(begin)}")
        self.at += 1
        opened = self.open.pop()
        if tag and tag != opened.tag:
            raise MarkupError(
                f"Unmatched end tag at byte offset {self._byte(begin)}, "
                f'expected "</{opened.tag}>", found "</{tag}>"'
            )
        self._close(opened)

    def _close(self, opened: _Open) -> None:
        end = len(self.out)
        if end == opened.start:
            return
        kind, argument = _KINDS[opened.tag], opened.argument
        if kind == "text_link":
            argument = _link(argument or "".join(self.out[opened.start : end]))
            if not argument:
                return
        elif kind == "blockquote" and argument:
            kind, argument = "expandable_blockquote", ""
        self.marks.append(_Mark(kind, opened.start, end, argument))


def _argument(tag: str, name: str, value: str | None) -> str:
    if (tag, name) == ("blockquote", "expandable"):
        return "1"
    if value is None:
        return ""
    match tag, name:
        case ("a", "href") | ("tg-emoji", "emoji-id"):
            return value
        case "code", "class" if value.startswith("language-"):
            return value.removeprefix("language-")
        case "span", "class" if value.startswith("tg-"):
            return value.removeprefix("tg-")
    return ""


def _link(address: str) -> str:
    """The address as Telegram stores it, empty when it is none."""
    address = address.strip()
    if not _URL.fullmatch(address):
        return ""
    if "://" not in address:
        address = f"http://{address}"
    scheme, _, rest = address.partition("://")
    if scheme.lower() != "tg" and not re.search(r"[/?#]", rest):
        rest += "/"
    return f"{scheme.lower()}://{rest}"


def _merge_code(marks: list[_Mark]) -> list[_Mark]:
    """`pre` and `code class=language-x` over the same words are one `pre` with a language."""
    coded = {(m.start, m.end): m for m in marks if m.kind == "code" and m.argument}
    blocks = {(m.start, m.end) for m in marks if m.kind == "pre"}
    merged: list[_Mark] = []
    for mark in marks:
        place = (mark.start, mark.end)
        if mark.kind == "pre" and place in coded:
            merged.append(_Mark("pre", *place, coded[place].argument))
        elif not (mark.kind == "code" and mark.argument and place in blocks):
            merged.append(mark)
    return merged
