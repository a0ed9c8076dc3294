"""A small made-up corpus for tests, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

SMALL: Mapping[str, Mapping[str, str]] = {
    "en-self-gate": {
        "self.choice": "The gate was locked and I climbed over although my bus was waiting.",
        "self.detail": "Rust came off on my palms and smelled of old coins.",
    },
    "en-self-foreman": {
        "self.choice": "I gave the foreman back his keys when I could have kept quiet.",
    },
    "en-self-letter": {
        "self.choice": "I tore up the letter of apology they had written for me.",
    },
    "en-us-stair": {"us.who": "The nine of us who share the stair behind the bakery."},
    "en-now-gate": {
        "now.ask": "Will you bring a lamp to the gate on Friday at seven?",
        "now.dream": "I can see the children walking through that gate on their own.",
        "link.thread": "I climbed it once, nine of us opened it, now keep it open.",
    },
    "es-self-llave": {
        "self.choice": "Le devolví la llave al capataz aunque podía quedarme callado ese día.",
    },
    "es-self-carta": {"self.choice": "Rompí la carta que me habían escrito para pedir perdón."},
    "es-us-escalera": {"us.who": "Los nueve que compartimos la escalera detrás de la panadería."},
    "es-now-verja": {
        "now.ask": "¿Traes una lámpara a la verja el viernes a las siete?",
        "link.thread": "Yo la salté una vez, nueve la abrimos, ahora hay que dejarla abierta.",
    },
}


def write_narrative(folder: Path, name: str, moves: Mapping[str, str], **changed: object) -> Path:
    """One narrative file whose text is its marked sentences."""
    language, stage, _ = name.split("-", 2)
    head: dict[str, object] = {
        "title": name,
        "language": language,
        "stage": stage,
        "themes": ["gate", "work"],
        "place_type": "town",
        "illustration": True,
        "author": "Written for this project",
        "source": "original",
        "licence": "CC BY 4.0",
        "moves": dict(moves),
    }
    head.update(changed)
    front = yaml.safe_dump(head, allow_unicode=True, sort_keys=False)
    path = folder / f"{name}.md"
    path.write_text(f"---\n{front}---\n{' '.join(moves.values())}\n", encoding="utf-8")
    return path


def write_corpus(folder: Path) -> Path:
    """All of SMALL in `folder`, which is returned."""
    for name, moves in SMALL.items():
        write_narrative(folder, name, moves)
    return folder
