"""An index server, and erasures that wait for others, from the command line."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bot.settings import BadSetting, load_settings
from tests import chroma
from tests.commands.shell import coach


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("chroma.example.org:8000", "must be an address like http"),
        ("http://chroma.example.org:port", "must be an address like http"),
        ("postgresql://chroma", "must be an address like http"),
        ("http://coach:secret@chroma.example.org", "a token goes into CHROMA_TOKEN"),
    ],
)
def test_an_address_that_is_none_is_named_and_no_secret_shown(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("CHROMA_URL", url)
    with pytest.raises(BadSetting, match=words) as refused:
        load_settings()
    assert "CHROMA_URL cannot be used" in str(refused.value) and "secret" not in str(refused.value)


def test_the_servers_token_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMA_TOKEN", "abra-cadabra")
    settings = load_settings()
    assert "abra-cadabra" in settings.secrets and "abra" not in repr(settings)


def test_a_server_that_is_down_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    for command in (["index"], ["examples", "--move", "self.choice", "--lang", "en", "a door"]):
        ended = coach(tmp_path / "home", *command, settings={"CHROMA_URL": url})
        assert ended.code == 1
        assert ended.err.splitlines()[-1] == (
            f"The Chroma server at {url} does not answer; see CHROMA_URL."
        )


def test_a_folder_that_is_none_of_a_server_proves_nothing(tmp_path: Path) -> None:
    ended = coach(tmp_path / "home", "doctor", "--chroma-files", str(tmp_path))
    assert (ended.code, ended.out) == (1, "")
    assert "cannot be read as a Chroma server's folder" in ended.err


def test_another_servers_folder_proves_nothing(tmp_path: Path) -> None:
    chroma.needed()
    folder = str(chroma.server().folder)
    ended = coach(tmp_path / "home", "doctor", "--chroma-files", folder)
    assert (ended.code, ended.out) == (1, "")
    assert "is not the folder of the Chroma server" in ended.err


def test_a_data_folder_nobody_knows_cannot_be_answered_for(tmp_path: Path) -> None:
    ended = coach(tmp_path / "home", "doctor", "--folder-gone", "abc")
    assert (ended.code, ended.out) == (1, "")
    assert "no data folder with that id" in ended.err
