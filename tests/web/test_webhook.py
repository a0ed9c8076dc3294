"""Updates that Telegram brings: the whole coach behind a real socket."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.console.botapi import BotApi
from bot.console.people import Person
from bot.metrics import CONTENT_TYPE, Figures
from bot.store.database import open_store
from bot.telegram.app import ALLOWED, Hook, TelegramCoach, TelegramRefuses
from bot.usecases.ports import InboxItem, Store, StoreUnavailable
from bot.usecases.residents import Residents
from bot.web.server import listening
from bot.web.site import Page, Receiver, site
from tests.fakes import FixedClock, ScriptedScreener, SteadyReader, catalogue, corpus_retriever
from tests.telegram.stage import Stage, database, eventually
from tests.web.served import SECRET, Caller, Served, served

URL = "https://coach.example.org/telegram"
WORD = "sesame_1-2"


class Failing:
    """A store that cannot be written while `fails`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails = False

    def work(self) -> Any:
        if self.fails:
            raise StoreUnavailable("The disk is full.")
        return self._store.work()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class Hooked:
    """The coach behind its webhook."""

    stage: Stage
    telegram: Served
    caller: Caller
    store: Failing
    client: httpx.AsyncClient

    async def posts(self, body: bytes | dict[str, Any], secret: str = WORD) -> int:
        """Bring one body as Telegram does; the answer's status."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.client.post("/telegram", content=content, headers={SECRET: secret})
        return answer.status_code

    async def aside(self) -> list[tuple[bool, str]]:
        """What was set aside: whether it has an id of Telegram's, and why."""
        async with self.store.work() as work:
            return [(a.update_id >= 0, a.reason) for a in await work.inbox.quarantined()]


@asynccontextmanager
async def hooked(home: Path) -> AsyncIterator[Hooked]:
    """The coach by webhook on the data directory `home`."""
    async with served(BotApi(home / "console.json")) as telegram:
        kept = await open_store(database(home))
        store, clock, reader = Failing(kept), FixedClock(), SteadyReader()
        numbers, figures = itertools.count(1), Figures()
        screener = ScriptedScreener()
        residents = Residents(
            store, reader, screener, corpus_retriever(), catalogue(), clock,
            lambda: f"id-{next(numbers)}", meter=figures,
        )  # fmt: skip
        coach = TelegramCoach(
            store, residents, catalogue(), clock, telegram.api.token, telegram.address,
            hook=Hook(URL, WORD), meter=figures,
        )  # fmt: skip

        async def page() -> bytes:
            return figures.page(await coach.depths())

        application = site(
            coach.health, Page(CONTENT_TYPE, page), Receiver("/telegram", WORD, coach.receive)
        )
        try:
            async with listening(application, "127.0.0.1", 0) as port:
                address = f"http://127.0.0.1:{port}"
                caller = Caller(telegram.api, f"{address}/telegram", WORD)
                async with httpx.AsyncClient(base_url=address, timeout=60) as client:
                    stage = Stage(home, telegram.api, kept, coach, reader, screener, clock)
                    await coach.start()
                    yield Hooked(stage, telegram, caller, store, client)
        finally:
            await coach.stop()
            await kept.close()


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Hooked]:
    async with hooked(tmp_path) as bot:
        yield bot


def said(person: Person, update_id: int, text: str) -> dict[str, Any]:
    """An update in which somebody writes."""
    message: dict[str, Any] = {
        "message_id": update_id, "date": 0, "chat": person.chat.payload(),
        "from": person.payload(), "text": text,
    }  # fmt: skip
    if text.startswith("/"):
        message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text)}]
    return {"update_id": update_id, "message": message}


def started(bot: Hooked, name: str) -> Person:
    person = bot.stage.person(name)
    person.chat.started = True
    return person


async def test_the_webhook_is_set_with_secret_and_kinds_and_drops_nothing(bot: Hooked) -> None:
    call = bot.telegram.last("setWebhook")
    assert call.text("url") == URL and call.text("secret_token") == WORD
    assert call.nested("allowed_updates") == list(ALLOWED)
    assert call.number("max_connections") == 40
    assert not call.flag("drop_pending_updates")
    assert not any(c.method == "getUpdates" for c in bot.telegram.asked)


async def test_a_conversation_by_webhook_is_the_one_by_polling(bot: Hooked) -> None:
    async with bot.caller.bringing():
        ana = bot.stage.person("Ana")
        await bot.stage.tells(ana, "The lift broke in March.", "I carried him up nine floors.")
        assert await bot.stage.typed(ana) == (
            "The lift broke in March.\nI carried him up nine floors."
        )
    assert bot.caller.refused == []


async def test_a_wrong_webhook_secret_stores_nothing(bot: Hooked) -> None:
    ana = started(bot, "Ana")
    for secret in ("", "wrong"):
        assert await bot.posts(said(ana, 1, "/start"), secret) == 403
    assert sum((await bot.stage.counts()).values()) == 0
    assert bot.stage.entries(ana) == []


async def test_the_same_update_brought_twice_has_one_effect(bot: Hooked) -> None:
    ana = started(bot, "Ana")
    update = said(ana, 7, "/start")
    assert await asyncio.gather(*(bot.posts(update) for _ in range(8))) == [200] * 8
    await bot.stage.coach.idle()
    assert await bot.posts(update) == 200
    await bot.stage.coach.idle()
    assert len(bot.stage.entries(ana)) == 1
    assert (await bot.stage.counts())["done"] == 1


async def test_a_database_down_at_ingress_is_no_acknowledgement_and_recovers(bot: Hooked) -> None:
    ana = started(bot, "Ana")
    bot.store.fails = True
    assert await bot.posts(said(ana, 7, "/start")) == 500
    answer = await bot.client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["database"] == "trouble"
    assert (await bot.client.get("/metrics")).status_code == 503
    bot.store.fails = False
    assert await bot.posts(said(ana, 7, "/start")) == 200
    await bot.stage.coach.idle()
    assert len(bot.stage.entries(ana)) == 1
    assert (await bot.client.get("/healthz")).json() == {
        "ok": True, "database": "ok", "lanes": "ok", "ingress": "ok",
    }  # fmt: skip


POISON = [
    b"", b"\xff\xfe\x00", b"{", b"nonsense", b"[" * 100_000, b"null", b"[]", b"17", b'"text"',
    b"{}", b'{"update_id": null}', b'{"update_id": "7"}', b'{"update_id": true}',
    b'{"update_id": 1.5}', b'{"update_id": 1e999}', b'{"update_id": -4}',
    b'{"update_id": 99999999999999999999999}', b'{"update_id": ' + b"9" * 5000 + b"}",
]  # fmt: skip


async def test_poison_is_set_aside_and_answered_200_so_that_it_blocks_nobody(bot: Hooked) -> None:
    ana = started(bot, "Ana")
    for body in POISON:
        assert await bot.posts(body) == 200, body[:40]
    assert await bot.posts(POISON[2]) == 200, "the same again is the same row"
    assert await bot.aside() == [(False, "UnreadableUpdate")] * len(POISON)
    assert await bot.posts(said(ana, 8, "/start")) == 200
    await bot.stage.coach.idle()
    assert len(bot.stage.entries(ana)) == 1


def strange(ana: Person) -> list[tuple[str, Any]]:
    """Updates with an id, whose rest is of no known form."""
    of = {"chat": ana.chat.payload(), "from": ana.payload(), "message_id": 1, "date": 0}
    return [
        ("message", None), ("message", []), ("message", "text"), ("message", {}),
        ("message", {"chat": None}), ("message", {"chat": {"id": "x"}}),
        ("message", {"chat": {"id": 1e999}}), ("message", {**of, "chat": {"id": 10**30}}),
        ("message", {**of, "text": 5}), ("message", {**of, "text": "\ud800"}),
        ("message", {**of, "text": "/x", "entities": "x"}), ("message", {**of, "from": []}),
        ("callback_query", {}), ("callback_query", []), ("callback_query", {"from": {"id": []}}),
        ("callback_query", {"id": "1", "from": ana.payload(), "data": "9|forged"}),
        ("my_chat_member", {}), ("my_chat_member", []), ("of_next_year", {"new": [1, 2]}),
    ]  # fmt: skip


async def test_strange_updates_never_keep_a_valid_one_waiting(bot: Hooked) -> None:
    ana = started(bot, "Ana")
    updates = [{"update_id": n, kind: body} for n, (kind, body) in enumerate(strange(ana), 100)]
    for update in updates:
        assert await bot.posts(update) == 200, update
        assert bot.stage.coach.failure() is None
    assert await bot.posts(said(ana, 900, "/start")) == 200
    async with asyncio.timeout(20):
        await bot.stage.coach.idle()
    assert any("Marshall" in e.text or "story" in e.text for e in bot.stage.entries(ana))
    counts = await bot.stage.counts()
    assert counts["waiting"] == 0 and counts["done"] + counts["quarantined"] == len(updates) + 1
    assert all(with_id for with_id, _ in await bot.aside())


async def test_fifty_chats_at_a_time_are_each_answered_in_order(bot: Hooked) -> None:
    people = [started(bot, f"Person {n}") for n in range(50)]
    numbers = itertools.count(1000)

    async def talks(person: Person) -> None:
        for text in ("/start", "yes in english", "18 or older", "i agree"):
            assert await bot.posts(said(person, next(numbers), text)) == 200

    await asyncio.gather(*(talks(person) for person in people))
    async with asyncio.timeout(60):
        await bot.stage.coach.idle()
    for person in people:
        folder = await bot.stage.folder(person)
        assert folder is not None and folder.resident.participation is not None


async def test_updates_are_refused_before_what_is_on_disk_is_taken_up(tmp_path: Path) -> None:
    async with hooked(tmp_path) as bot:
        await bot.stage.coach.stop()
        assert await bot.posts(said(started(bot, "Ana"), 7, "/start")) == 500
        assert (await bot.client.get("/healthz")).json()["ingress"] == "trouble"
        assert sum((await bot.stage.counts()).values()) == 0


async def test_figures_count_turns_calls_and_what_waits(bot: Hooked) -> None:
    async with bot.caller.bringing():
        ana = bot.stage.person("Ana")
        await bot.stage.tells(ana, "The lift broke in March.")
        bot.telegram.api.faults.too_many_requests("sendMessage", 1)
        await bot.stage.says(ana, "I carried him up nine floors.")
    assert await bot.posts(b"nonsense") == 200
    shown = (await bot.client.get("/metrics")).text
    figure = dict(
        line.rsplit(" ", 1) for line in shown.splitlines() if line and not line.startswith("#")
    )
    handled = float(figure['coach_turns_total{fate="handled"}'])
    assert handled == float(figure['coach_updates_total{fate="kept"}']) >= 8
    assert figure['coach_updates_total{fate="unreadable"}'] == "1.0"
    assert figure['coach_telegram_too_many_requests_total{method="sendMessage"}'] == "1.0"
    assert figure['coach_turn_seconds_count{step="welcome"}'] == "2.0"
    assert (figure["coach_inbox_depth"], figure["coach_quarantined"]) == ("0.0", "1.0")
    assert figure["coach_outbox_depth"] == "0.0"
    assert float(figure['coach_messages{outcome="sent"}']) >= handled
    for name in ("coach_reader_seconds_count", "coach_model_seconds_count"):
        assert name in figure
    for private in ("Ana", "lift", str(ana.id), "sesame"):
        assert private not in shown


async def test_what_is_put_back_while_we_run_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.app.LOOK_EVERY", 0.05)
    async with hooked(tmp_path) as bot:
        ana = started(bot, "Ana")
        async with bot.store.work() as work:
            payload = json.dumps(said(ana, 7, "/start"))
            await work.inbox.put(InboxItem(7, ana.id, payload, bot.stage.clock.now()))
            await work.inbox.quarantine([7], "KeyError")
            await work.commit()
        await asyncio.sleep(0.2)
        assert bot.stage.entries(ana) == []
        async with bot.store.work() as work:
            assert await work.inbox.put_back([7]) == 1
            await work.commit()
        await eventually(lambda: bool(bot.stage.api.transcript(ana)))
        await bot.stage.coach.idle()
        assert len(bot.stage.entries(ana)) == 1


async def test_a_telegram_that_does_not_know_the_token_or_the_address_is_named(
    tmp_path: Path,
) -> None:
    async with hooked(tmp_path) as bot:
        api = bot.telegram.api

        def coach(token: str, url: str) -> TelegramCoach:
            residents = bot.stage.coach._turns._residents
            return TelegramCoach(
                bot.store, residents, catalogue(), bot.stage.clock, token, bot.telegram.address,
                hook=Hook(url, WORD),
            )  # fmt: skip

        for token, url, words in (
            ("4242:wrong", URL, "does not know TELEGRAM_BOT_TOKEN"),
            (api.token, "http://coach.example.org/", "does not take TELEGRAM_WEBHOOK_URL"),
        ):
            other = coach(token, url)
            with pytest.raises(TelegramRefuses, match=words):
                await other.start()
            await other.stop()


async def test_a_webhook_taken_away_shows_in_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.webhook.WATCH_EVERY", 0.05)
    async with hooked(tmp_path) as bot:
        bot.telegram.api.webhook_url = "https://elsewhere.example.org/x"

        async def is_ill() -> bool:
            return (await bot.client.get("/healthz")).json()["ingress"] == "trouble"

        async with asyncio.timeout(5):
            while not await is_ill():  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.05)


async def test_a_token_revoked_mid_run_ends_the_webhook_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telegram.webhook.WATCH_EVERY", 0.05)
    async with hooked(tmp_path) as bot:
        bot.telegram.api.token = "1:another"
        async with asyncio.timeout(5):
            refusal = await bot.stage.coach.refused()
        assert "does not know TELEGRAM_BOT_TOKEN" in str(refusal)
