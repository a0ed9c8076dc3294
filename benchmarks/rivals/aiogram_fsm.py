"""aiogram's finite-state machine, as in its documentation: `memory`, or a Redis address."""

from __future__ import annotations

import asyncio
import os
import sys

from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.filters import CommandStart, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import BaseStorage
from aiogram.fsm.storage.memory import MemoryStorage
from aiogram.fsm.storage.redis import RedisStorage
from aiogram.types import Message

from benchmarks.rivals.questions import HINT, QUESTIONS, THANKS

router = Router()


class Story(StatesGroup):
    """Somebody is asked."""

    answering = State()


@router.message(CommandStart())
async def start(message: Message, state: FSMContext) -> None:
    """Ask the first question."""
    await state.set_state(Story.answering)
    await state.set_data({"answers": []})
    await message.answer(QUESTIONS[0])


@router.message(StateFilter(Story.answering), F.text)
async def answer(message: Message, state: FSMContext) -> None:
    """Keep an answer and ask the next question."""
    answers = [*(await state.get_data())["answers"], message.text]
    if len(answers) == len(QUESTIONS):
        await state.clear()
        await message.answer(THANKS)
        return
    await state.update_data(answers=answers)
    await message.answer(QUESTIONS[len(answers)])


@router.message()
async def hint(message: Message) -> None:
    """Outside of a conversation."""
    await message.answer(HINT)


async def main(where: str) -> None:
    """Serve until killed."""
    storage: BaseStorage = MemoryStorage() if where == "memory" else RedisStorage.from_url(where)
    server = TelegramAPIServer.from_base(os.environ["TELEGRAM_API_BASE_URL"])
    bot = Bot(os.environ["TELEGRAM_BOT_TOKEN"], session=AiohttpSession(api=server))
    dispatcher = Dispatcher(storage=storage)
    dispatcher.include_router(router)
    await dispatcher.start_polling(bot)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
