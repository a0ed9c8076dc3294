"""The environment as one frozen Settings, checked at start. Every setting is in .env.example."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import find_dotenv
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

TELEGRAM = "https://api.telegram.org"
RESERVED = ("/healthz", "/metrics")
"""Paths of our own, where no update may arrive."""
TELEGRAM_PORTS = (None, 443, 80, 88, 8443)


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
    telegram_api_base_url: str = Field(TELEGRAM, description="an http(s) address")
    telegram_webhook_url: str | None = Field(None, description="an https address of this program")
    telegram_webhook_secret: SecretStr | None = Field(None, description="1-256 of A-Za-z0-9_-")
    database_url: str | None = Field(None, description="a SQLAlchemy address")
    coach_database_connections: int = Field(10, description="2 to 100", ge=2, le=100)
    chroma_url: str | None = Field(None, description="an http(s) address")
    chroma_token: SecretStr | None = Field(None, description="what that server asks for")
    chroma_tenant: str = Field("default_tenant", description="a tenant of that server")
    chroma_database: str = Field("default_database", description="a database of that tenant")
    coach_home: Path = Field(Path("data"), description="a folder that can be written")
    coach_language: str = Field("en", description="en or es")
    coach_host: str | None = Field(None, description="an address of this machine")
    coach_port: int | None = Field(None, description="1 to 65535", ge=1, le=65535)
    port: int | None = Field(None, description="1 to 65535, given by the platform", ge=1, le=65535)
    coach_metrics_port: int | None = Field(None, description="1 to 65535", ge=1, le=65535)
    coach_log: str = Field("plain", description="plain or json")
    openai_api_key: SecretStr | None = Field(None, description="a key, else no model is asked")
    openai_base_url: str | None = Field(None, description="an http(s) address ending in /v1")
    openai_model: str = Field("gpt-4.1-mini", description="a model's name at that address")
    openai_transcription_model: str | None = Field(None, description="such as whisper-1")
    coach_model_deadline: float = Field(6.0, description="seconds, 1 to 30", ge=1, le=30)
    coach_model_instructions: str = Field("", description="a folder of prompts/coach, else newest")
    coach_model_tokens_resident: int = Field(60_000, description="tokens a day, 0 or more", ge=0)
    coach_model_tokens_day: int = Field(2_000_000, description="tokens a day, 0 or more", ge=0)
    coach_model_dollars_day: float = Field(5.0, description="US dollars a day, 0 or more", ge=0)
    coach_model_price_read: float = Field(0.4, description="US dollars a million tokens", ge=0)
    coach_model_price_written: float = Field(1.6, description="US dollars a million tokens", ge=0)
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

    @field_validator("chroma_url")
    @classmethod
    def _chroma(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError("must be an address like http://127.0.0.1:8000") from error
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise ValueError("must be an address like http://127.0.0.1:8000")
        if parts.username or parts.password:
            raise ValueError("must hold no name or password; a token goes into CHROMA_TOKEN")
        return value.rstrip("/")

    @field_validator("telegram_webhook_url")
    @classmethod
    def _hook(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError("must be an address like https://example.org/telegram") from error
        if parts.scheme not in ("https", "http") or not host:
            raise ValueError("must be an address like https://example.org/telegram")
        is_telegram = info.data.get("telegram_api_base_url") == TELEGRAM
        if is_telegram and parts.scheme != "https":
            raise ValueError("must begin with https://, because Telegram brings nothing to http://")
        if is_telegram and port not in TELEGRAM_PORTS:
            raise ValueError("must use port 443, 80, 88 or 8443, the only ones Telegram calls")
        if parts.path in RESERVED:
            raise ValueError(f"must not end in {parts.path}, which is a page of its own")
        return value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"[A-Za-z0-9_-]{1,256}", value.get_secret_value()
        ):
            raise ValueError("must be 1 to 256 of A-Z, a-z, 0-9, _ and -")
        return value

    @field_validator("coach_log")
    @classmethod
    def _form(cls, value: str) -> str:
        if value not in ("plain", "json"):
            raise ValueError("must be plain or json")
        return value

    @property
    def webhook_path(self) -> str:
        """The path at which updates arrive: that of TELEGRAM_WEBHOOK_URL."""
        return urlsplit(self.telegram_webhook_url or "").path or "/"

    @property
    def webhook_secret(self) -> str:
        """The set secret, or one made from the token, from which the token cannot be found.

        So nobody has to invent one, it outlives a disk, and several processes agree on it.
        """
        if self.telegram_webhook_secret is not None:
            return self.telegram_webhook_secret.get_secret_value()
        token = self.telegram_bot_token.get_secret_value() if self.telegram_bot_token else ""
        return hmac.new(token.encode(), b"coach webhook", hashlib.sha256).hexdigest()

    @property
    def host(self) -> str:
        """Where to listen: everywhere when the platform gives a PORT, else on this machine only."""
        return self.coach_host or ("0.0.0.0" if self.port else "127.0.0.1")

    @property
    def web_port(self) -> int:
        """Where `coach web` listens."""
        return self.coach_port or self.port or 8080

    @property
    def watch_port(self) -> int | None:
        """Where `coach run` shows health and figures, if anywhere."""
        return self.coach_metrics_port or self.coach_port or self.port

    @property
    def worker_port(self) -> int | None:
        """Where `coach worker` shows them: on one machine COACH_PORT is that of its `coach web`."""
        return self.coach_metrics_port or self.port

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written anywhere."""
        held = [getattr(self, name) for name in type(self).model_fields]
        found = [one.get_secret_value() for one in held if isinstance(one, SecretStr)]
        if self.telegram_bot_token is not None:
            token = self.telegram_bot_token.get_secret_value()
            found += [token.partition(":")[2], self.webhook_secret]
        if self.database_url and (password := urlsplit(self.database_url).password):
            found.append(password)
        return tuple(one for one in found if one)

    @field_validator("openai_base_url")
    @classmethod
    def _model_address(cls, value: str | None) -> str | None:
        if value is not None and not (
            value.startswith(("http://", "https://")) and urlsplit(value).hostname
        ):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @property
    def model_at(self) -> str | None:
        """The host that words may go to, as residents are told; None when no model is set up."""
        if self.openai_base_url:
            return urlsplit(self.openai_base_url).hostname
        return "api.openai.com" if self.openai_api_key else None

    @property
    def is_shared(self) -> bool:
        """Whether other processes may work on the same database."""
        return self.database.startswith("postgresql")

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
