"""`coach chat` on piped input: plain, strictly line by line, and kind about bad input."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path
from typing import TextIO

from bot.console.botapi import BotApi
from bot.console.chat import converse
from tests.console.conftest import EchoHost, eventually


async def piped(
    typed: bytes, home: Path, *, group: str | None = None, name: str = "Maria", language: str = "en"
) -> str:
    api = BotApi(home / "console.json")
    host = EchoHost(api)
    code, shown, complaint = await talk(api, host, typed, group=group, name=name, language=language)
    assert (code, complaint, host.errors) == (0, "", [])
    return shown


async def talk(
    api: BotApi,
    host: EchoHost,
    typed: bytes,
    *,
    group: str | None = None,
    name: str = "Maria",
    language: str = "en",
) -> tuple[int, str, str]:
    read, write = os.pipe()
    os.write(write, typed)
    os.close(write)
    out, err = io.StringIO(), io.StringIO()
    with os.fdopen(read) as stdin:
        code = await converse(api, host, name, group, stdin, out, stderr=err, language=language)
    return code, out.getvalue(), err.getvalue()


START = "You said /start\n\n#1 Yes\n#2 No\n\n"


async def test_a_first_start_presses_start_and_a_second_resumes(tmp_path: Path) -> None:
    assert await piped(b"", tmp_path) == START
    assert await piped(b"#2\n", tmp_path) == (
        "- Welcome back, Maria. Write to go on, or press a button:\n\n#1 Yes\n#2 No\n\n"
        "- Heard\n\nYou pressed no\n\n"
    )
    assert await piped(b"", tmp_path) == "- Welcome back, Maria. Write to go on.\n\n"


async def test_the_same_input_gives_the_same_output(tmp_path: Path) -> None:
    typed = b"one\n#1\ntwo\nthree\n#2\n"
    first = await piped(typed, tmp_path / "a")
    assert await piped(typed, tmp_path / "b") == first
    assert first.count("You said") == 4 and "\x1b" not in first


async def test_crlf_blank_lines_and_nul_bytes_do_not_reach_the_bot(tmp_path: Path) -> None:
    shown = await piped(b"\xef\xbb\xbfhel\0lo\r\n\r\n   \n\0\nlast", tmp_path)
    assert shown == START + (
        "You said hello\n\n#1 Yes\n#2 No\n\nYou said last\n\n#1 Yes\n#2 No\n\n"
    )


async def test_bytes_that_are_not_utf8_are_replaced_with_a_note(tmp_path: Path) -> None:
    shown = await piped(b"caf\xe9 ol\xc3\xa9\n", tmp_path)
    assert "- Some characters could not be read and were sent as �.\n" in shown
    assert "You said caf� olé\n" in shown


async def test_a_button_that_is_not_there_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    shown = await piped(b"#9\n#0\n", tmp_path)
    assert shown == START + "".join(
        f"- There is no button #{n} here; choose #1–#2. Nothing was sent.\n\n" for n in (9, 0)
    )


async def test_an_escaped_hash_and_a_hashtag_are_text(tmp_path: Path) -> None:
    shown = await piped(b"\\#2\n#2 of us\n", tmp_path)
    assert "You said #2\n" in shown and "You said #2 of us\n" in shown


async def test_ten_thousand_characters_arrive_in_three_pieces(tmp_path: Path) -> None:
    api = BotApi(tmp_path / "console.json")
    host = EchoHost(api)
    await talk(api, host, b"word " * 2000 + b"\n")
    assert [len(text or "") for text in host.texts()] == [6, 4094, 4094, 1809]


async def test_a_document_is_saved_for_this_person_only(tmp_path: Path) -> None:
    shown = await piped(b"/file\n/file\n", tmp_path)
    saved = sorted((tmp_path / "received").rglob("*.json"))
    assert [p.name for p in saved] == ["mydata-2.json", "mydata.json"]
    assert all(f"saved: {path}\n" in shown for path in saved)
    assert all(path.read_bytes() == b"{}" and path.stat().st_mode & 0o077 == 0 for path in saved)


async def test_the_console_speaks_spanish_to_someone_whose_client_does(tmp_path: Path) -> None:
    shown = await piped(b"#9\n", tmp_path, language="es-ES")
    assert "Aquí no hay botón #9; elige #1–#2. No se envió nada." in shown


async def test_a_group_sees_the_bot_only_when_spoken_to(tmp_path: Path) -> None:
    shown = await piped(b"just talking\n/practice@story_coach_bot\n", tmp_path, group="Hill")
    assert "Maria, you are in the group “Hill”." in shown
    assert shown.endswith("You said /practice@story_coach_bot\n\n#1 Yes\n#2 No\n\n")
    assert "just talking" not in shown


async def test_in_a_group_words_for_the_bot_are_replies(tmp_path: Path) -> None:
    shown = await piped(b"> too early\n", tmp_path, group="Hill")
    assert "There is nothing of the bot's here to reply to. Nothing was sent." in shown
    typed = b"/practice@story_coach_bot\n> for you\n\\> not for you\n"
    shown = await piped(typed, tmp_path, group="Hill")
    assert shown.count("You said") == 2
    assert shown.endswith("You said for you\n\n#1 Yes\n#2 No\n\n")


async def test_who_made_a_group_still_manages_it_after_a_restart(tmp_path: Path) -> None:
    await piped(b"", tmp_path, group="Hill")
    await piped(b"", tmp_path, group="Hill", name="Ben")
    api = BotApi(tmp_path / "console.json")
    hill, maria = api.group("Hill"), api.person("Maria")
    assert hill.chat.members == {maria.id: "creator"}


async def test_a_failed_bot_is_one_sentence_on_standard_error(tmp_path: Path) -> None:
    api = BotApi(tmp_path / "console.json")
    host = EchoHost(api)
    host.trouble = "The database is newer than this program."
    code, _, err = await talk(api, host, b"hello\n")
    assert (code, err) == (1, "The database is newer than this program.\n")


async def test_a_disk_that_refuses_says_that_nothing_was_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where the folder should be")
    api = BotApi(home / "console.json")
    code, _, err = await talk(api, EchoHost(api), b"hello\n")
    assert code == 1
    assert err.startswith(f"Your message was not sent: {home / 'console.json'} cannot be written (")


class Deaf(io.StringIO):
    """An output nobody reads after the first words."""

    def write(self, text: str) -> int:
        if self.tell():
            raise BrokenPipeError
        return super().write(text)


async def test_a_closed_output_ends_quietly_and_harms_no_call(tmp_path: Path) -> None:
    api = BotApi(tmp_path / "console.json")
    host = EchoHost(api)
    stdin: TextIO = io.StringIO("one\ntwo\nthree\n")
    assert await converse(api, host, "Maria", None, stdin, Deaf()) == 0
    assert host.errors == []


async def test_input_that_waits_lets_the_bot_speak(tmp_path: Path) -> None:
    api = BotApi(tmp_path / "console.json")
    host = EchoHost(api)
    read, write = os.pipe()
    out = io.StringIO()
    with os.fdopen(read) as stdin:
        talking = asyncio.create_task(converse(api, host, "Maria", None, stdin, out))
        await eventually(lambda: "You said /start" in out.getvalue())
        await host.application.bot.send_message(api.person("Maria").id, "A late word")
        assert out.getvalue().endswith("A late word\n\n")
        os.close(write)
        assert await talking == 0


async def test_an_interrupt_while_waiting_for_input_ends_with_0(tmp_path: Path) -> None:
    api = BotApi(tmp_path / "console.json")
    host = EchoHost(api)
    read, write = os.pipe()
    out = io.StringIO()
    with os.fdopen(read) as stdin:
        talking = asyncio.create_task(converse(api, host, "Maria", None, stdin, out))
        await eventually(lambda: "You said /start" in out.getvalue())
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(5):
            assert await talking == 0
    os.close(write)
