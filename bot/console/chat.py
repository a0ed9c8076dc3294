"""The terminal of `coach chat`: one person talks with the real bot over the in-process Bot API."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from bot.console.botapi import BotApi
from bot.console.chats import Event, Message
from bot.console.lines import Line, PipedLines
from bot.console.people import Group, NoSuchButton, Person, buttons_of
from bot.console.screen import Gone, PlainScreen, RichScreen, Screen, abandon
from bot.console.words import Words

if TYPE_CHECKING:
    from bot.console.editor import Editor

_PRESS = re.compile(r"#(\d{1,3})")
_REPLY = re.compile(r">\s*(.*\S.*)", re.DOTALL)
"""In a group: words for the bot's last message."""
TYPING_SECONDS = 5.0
"""How long Telegram shows that somebody is typing."""
LEAVING_SECONDS = 10.0
"""How long leaving waits for the bot to finish."""


class Host(Protocol):
    """The bot as the console runs it."""

    async def start(self) -> None:
        """Begin to fetch and handle updates."""
        ...

    async def idle(self) -> None:
        """Return once every update handed over is handled and every message is sent."""
        ...

    async def stop(self) -> None:
        """End, leaving nothing half done."""
        ...

    def failure(self) -> str | None:
        """One plain sentence when the bot cannot go on, otherwise None."""
        ...


class HostFailed(Exception):
    """The bot cannot go on; the message is the plain sentence for the person."""


async def converse(
    api: BotApi,
    host: Host,
    name: str,
    group: str | None,
    stdin: TextIO,
    stdout: TextIO,
    *,
    stderr: TextIO | None = None,
    language: str | None = None,
    files: Path | None = None,
) -> int:
    """Let one person talk with the bot until the input ends; 0, or 1 when the bot failed.

    On a terminal messages may come at any time; piped input is handled strictly line by line.
    `files` is where documents are put: beside the console's memory, in `received/ID`, if not
    given, or the current folder when nothing is remembered. `language` is the client's.
    """
    person = api.person(name, language)
    place = api.group(group) if group else None
    chat = Conversation(api, host, person, place, stdin, stdout, files)
    try:
        return await chat.run()
    except Gone:
        abandon(stdout)
        return 0
    except HostFailed as failed:
        print(failed, file=stderr or sys.stderr)
        return 1


class Conversation:
    """One run of the terminal: draws what happens in one chat, sends what is typed."""

    def __init__(
        self,
        api: BotApi,
        host: Host,
        person: Person,
        group: Group | None,
        stdin: TextIO,
        stdout: TextIO,
        files: Path | None,
    ) -> None:
        self._api = api
        self._host = host
        self._person = person
        self._group = group
        self._chat = group.chat if group else person.chat
        self._words = Words(person.language_code)
        self._files = files or _folder(api, person)
        self._stdin, self._stdout = stdin, stdout
        self._live = stdin.isatty() and stdout.isatty() and sys.platform != "win32"
        self._screen: Screen = RichScreen(stdout) if self._live else PlainScreen(stdout)
        self._editor: Editor | None = None
        self._typing: asyncio.TimerHandle | None = None
        self._end: Callable[[], None] = lambda: None
        self._interrupts = 0
        self._gone = False

    async def run(self) -> int:
        """Talk until the input ends. Raises Gone and HostFailed; always stops the host."""
        silence = self._api.listen(self._on_event)
        try:
            with _leaving_kindly(self._interrupt):
                await self._host.start()
                try:
                    if not self._interrupts:
                        await self._talk()
                finally:
                    await self._host.stop()
        finally:
            silence()
        if self._gone:
            raise Gone
        return 0

    async def _talk(self) -> None:
        if self._live:
            from bot.console.editor import Editor

            self._editor = Editor(self._stdin, self._stdout)
            lines: Editor | PipedLines = self._editor
        else:
            lines = PipedLines(self._stdin)
        self._end = lines.end
        watch = asyncio.create_task(self._watch())
        try:
            self._greet()
            await self._between_lines()
            async for line in lines:
                if self._interrupts or self._gone:
                    break
                self._take(line)
                await self._between_lines()
            await self._farewell()
        finally:
            watch.cancel()
            self._stop_typing()
            self._editor = None
            lines.close()

    def _interrupt(self) -> None:
        self._interrupts += 1
        self._end()

    async def _watch(self) -> None:
        """End the input when the bot fails while nobody types."""
        while True:
            await asyncio.sleep(0.25)
            if self._host.failure() is not None:
                self._end()
                return

    async def _between_lines(self) -> None:
        """Piped lines wait for each other; someone at a terminal may type ahead."""
        if not self._live:
            await self._settle(patience=0)

    def _greet(self) -> None:
        if self._api.ledger.set_aside is not None:
            self._note("set_aside", path=self._api.ledger.set_aside)
        if self._group is not None:
            self._note("group", name=self._person.name, group=self._group.chat.name)
            self._sending(self._enter_group)
            self._show_buttons(self._chat.last_keyboard())
            return
        if not self._person.has_started:
            if self._live:
                self._note("hello", name=self._person.name)
            self._sending(self._person.starts)
            return
        shown = self._chat.last_keyboard()
        self._note("back.buttons" if shown else "back", name=self._person.name)
        self._show_buttons(shown)

    def _enter_group(self) -> None:
        if self._group is not None:
            if self._chat.gone:
                self._group.add_bot(self._person)
            self._group.join(self._person)

    def _take(self, line: Line) -> None:
        """Send one line, or press the button it names."""
        if not line.text.replace("\0", "").strip():
            return
        if line.replaced:
            self._note("replaced")
        pressed = _PRESS.fullmatch(line.text.strip())
        if pressed:
            self._press(int(pressed[1]))
            return
        replied = _REPLY.fullmatch(line.text.strip()) if self._group is not None else None
        if replied:
            self._reply(replied[1])
            return
        text = line.text[1:] if line.text.startswith(("\\#", "\\>")) else line.text
        self._sending(lambda: self._person.says(text, group=self._group))

    def _reply(self, text: str) -> None:
        """Answer the bot's last message in the group, which is how it gets to see words there."""
        said = [m.id for m in self._chat.messages.values() if m.from_bot]
        if not said:
            self._note("no_reply")
            return
        self._sending(lambda: self._person.says(text, group=self._group, reply_to=said[-1]))

    def _press(self, number: int) -> None:
        shown = self._chat.last_keyboard()
        buttons = buttons_of(shown)
        try:
            self._sending(lambda: self._person.presses(number, group=self._group))
        except NoSuchButton:
            if buttons:
                known = f"#1–#{len(buttons)}" if len(buttons) > 1 else "#1"
                self._note("no_button.choose", button=f"#{number}", known=known)
            else:
                self._note("no_button", button=f"#{number}")
            return
        if "url" in buttons[number - 1]:
            self._note("opens", url=buttons[number - 1]["url"])

    def _sending(self, send: Callable[[], object]) -> None:
        try:
            send()
        except OSError as error:
            path = self._api.ledger.path
            raise HostFailed(
                self._words.say("disk", path=path, why=error.strerror or type(error).__name__)
            ) from error

    async def _settle(self, patience: int) -> None:
        """Wait until the bot has kept and handled everything, or raise HostFailed.

        More than `patience` interrupts end the wait.
        """
        settled = asyncio.ensure_future(self._finish())
        try:
            while not settled.done() and self._interrupts <= patience and not self._gone:
                self._check()
                await asyncio.wait([settled], timeout=0.1)
            if settled.done():
                settled.result()
            self._check()
        finally:
            settled.cancel()

    async def _finish(self) -> None:
        await self._api.updates.confirmed()
        await self._host.idle()

    def _check(self) -> None:
        failure = self._host.failure()
        if failure is not None:
            raise HostFailed(failure)

    async def _farewell(self) -> None:
        """Let the bot finish what it was given, but not for ever."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settle(patience=1), LEAVING_SECONDS)
        if len(self._api.updates):
            raise HostFailed(self._words.say("not_kept"))
        if self._live and not self._gone:
            self._note("bye")

    # drawing

    def _on_event(self, event: Event) -> None:
        """Draw an event; called while the bot waits, so a closed output must not reach it."""
        if event.chat_id != self._chat.id or self._gone:
            return
        try:
            with self._above():
                self._show(event)
        except Gone:
            self._gone = True
            self._end()

    @contextlib.contextmanager
    def _above(self) -> Iterator[None]:
        if self._editor is None:
            yield
        else:
            with self._editor.hidden():
                yield

    def _show(self, event: Event) -> None:
        message = event.message
        if event.kind == "typing":
            self._show_typing()
        elif event.kind == "toast":
            self._screen.note(event.text)
        elif event.kind == "left":
            self._screen.note(self._words.say("left"))
        elif message is None or event.kind == "deleted":
            return
        elif event.kind == "buttons":
            self._show_buttons(message)
        else:
            self._stop_typing()
            mark = self._words.say("edited") if event.kind == "edited" else ""
            if message.upload is not None:
                self._receive(message)
            if message.text:
                self._screen.bot(message.text, message.entities, mark)
            self._show_buttons(message)

    def _show_buttons(self, message: Message | None) -> None:
        labels = [_label(button) for button in buttons_of(message)]
        if labels and message is self._chat.last_keyboard():
            self._screen.buttons(labels)

    def _note(self, key: str, **values: object) -> None:
        with self._above():
            self._screen.note(self._words.say(key, **values))

    def _show_typing(self) -> None:
        if self._editor is None:
            return
        self._stop_typing()
        self._editor.status(self._words.say("typing"))
        loop = asyncio.get_running_loop()
        self._typing = loop.call_later(TYPING_SECONDS, self._editor.status, "")

    def _stop_typing(self) -> None:
        if self._typing is not None and self._editor is not None:
            self._typing.cancel()
            self._typing = None
            self._editor.status("")

    def _receive(self, message: Message) -> None:
        """Put a file on disk, readable by this person only, never over another."""
        upload = message.upload
        if upload is None:
            return
        name = re.sub(r"[^\w.\- ]", "_", Path(upload.name).name).strip(". ") or "file"
        path = self._files / name
        try:
            self._files.mkdir(parents=True, exist_ok=True, mode=0o700)
            number = 1
            while path.exists():
                number += 1
                path = self._files / f"{Path(name).stem}-{number}{Path(name).suffix}"
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(upload.content)
        except OSError:
            self._screen.note(self._words.say("file.failed", file=name, path=path))
        else:
            self._screen.note(self._words.say("file", file=name, path=path))


def _folder(api: BotApi, person: Person) -> Path:
    if api.ledger.path is None:
        return Path.cwd()
    return api.ledger.path.parent / "received" / str(person.id)


def _label(button: dict[str, object]) -> str:
    label = str(button["text"])
    return f"{label} ({button['url']})" if "url" in button else label


@contextlib.contextmanager
def _leaving_kindly(end: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and a request to terminate end the input instead of the program."""
    loop = asyncio.get_running_loop()
    taken = []
    for number in (signal.SIGINT, signal.SIGTERM):
        # Only the main thread of a system with signals can do this; elsewhere the default stays.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, end)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
