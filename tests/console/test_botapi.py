"""The in-process Bot API behaves like Telegram towards a real PTB application."""

from __future__ import annotations

from bot.console.botapi import BotApi
from tests.console.conftest import EchoHost


async def test_a_person_is_echoed_with_buttons(api: BotApi, host: EchoHost) -> None:
    maria = api.person("Maria")
    maria.says("hello <&> 🙂")
    await host.idle()
    said, answer = api.transcript(maria)
    assert (said.who, said.text) == ("Maria", "hello <&> 🙂")
    assert (answer.who, answer.text) == ("bot", "You said hello <&> 🙂")
    assert answer.buttons == (("Yes", "No"),)
    assert answer.entities == ({"type": "bold", "offset": 0, "length": 8},)


async def test_a_press_takes_the_keyboard_away(api: BotApi, host: EchoHost) -> None:
    maria = api.person("Maria")
    maria.says("hello")
    await host.idle()
    maria.presses(2)
    await host.idle()
    assert [e.text for e in api.transcript(maria)][-1] == "You pressed no"
    assert [e.buttons for e in api.transcript(maria)] == [(), (), ()]
    assert maria.toasts == ["Heard"]
    assert host.errors == []
