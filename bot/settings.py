"""The environment as one frozen Settings, checked at start. Every setting is in .env.example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dotenv import find_dotenv
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class BadSetting(Exception):
    """A setting cannot be used; the sentence names it and says what it should be."""


class Settings(BaseSettings):
    """What can be set from outside. Names in the environment are the field names in capitals."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file_encoding="utf-8",
        hide_input_in_errors=True,
        # `NAME=` in a copied .env.example means "not set".
        env_ignore_empty=True,
    )

    telegram_bot_token: SecretStr | None = Field(None, description="from @BotFather")
    telegram_api_base_url: str = Field("https://api.telegram.org", description="an http(s) address")
    database_url: str | None = Field(None, description="a SQLAlchemy address")
    coach_home: Path = Field(Path("data"), description="a folder that can be written")
    coach_language: str = Field("en", description="en or es")
    coach_care_call: str = Field("112 / 911", description="a number to call, as people know it")
    coach_care_text: str = Field("", description="a number to write to, as people know it")
    coach_care_person: str = Field("", description="who to turn to here, by name and number")

    @field_validator("coach_language")
    @classmethod
    def _spoken(cls, value: str) -> str:
        if value not in ("en", "es"):
            raise ValueError("must be en or es")
        return value

    @field_validator("telegram_api_base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def database(self) -> str:
        """The database's address: DATABASE_URL, or a file in COACH_HOME."""
        if self.database_url:
            return self.database_url
        return f"sqlite+aiosqlite:///{self.coach_home.absolute() / 'coach.sqlite'}"


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment and the nearest .env; BadSetting names what is wrong."""
    try:
        return Settings(_env_file=find_dotenv(usecwd=True) or None, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "a setting"
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSetting(f"{name} cannot be used: {reason}. See .env.example.") from error
