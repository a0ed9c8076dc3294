"""What the console itself says, beside the bot: short, kind, in the person's language."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "hello": "{name}, this is your coach. Write and press Enter; Ctrl-D leaves.",
        "back": "Welcome back, {name}. Write to go on.",
        "back.buttons": "Welcome back, {name}. Write to go on, or press a button:",
        "group": "{name}, you are in the group “{group}”. The bot sees only what is meant for it: "
        "commands, and replies, which you write as > words. Ctrl-D leaves.",
        "no_reply": "There is nothing of the bot's here to reply to. Nothing was sent.",
        "left": "(the bot has left the group)",
        "press": "Type #1, #2… to press a button.",
        "no_button": "There is no button {button} here. Nothing was sent.",
        "no_button.choose": "There is no button {button} here; choose {known}. Nothing was sent.",
        "replaced": "Some characters could not be read and were sent as �.",
        "typing": "…",
        "file": "File {file} saved: {path}",
        "file.failed": "File {file} could not be saved here: {path}",
        "opens": "This button opens {url}",
        "edited": "(changed)",
        "not_kept": "Your last message may not have been kept: the coach did not confirm it.",
        "disk": "Your message was not sent: {path} cannot be written ({why}).",
        "set_aside": "The console's memory was damaged; it was set aside as {path}.",
        "bye": "See you. Everything you wrote is kept; come back with the same name.",
    },
    "es": {
        "hello": "{name}, aquí está tu coach. Escribe y pulsa Enter; Ctrl-D para salir.",
        "back": "Hola de nuevo, {name}. Escribe para seguir.",
        "back.buttons": "Hola de nuevo, {name}. Escribe para seguir, o pulsa un botón:",
        "group": "{name}, estás en el grupo “{group}”. El bot solo ve lo que es para él: comandos "
        "y respuestas, que se escriben > así. Ctrl-D para salir.",
        "no_reply": "Aquí no hay nada del bot a lo que responder. No se envió nada.",
        "left": "(el bot salió del grupo)",
        "press": "Escribe #1, #2… para pulsar un botón.",
        "no_button": "Aquí no hay botón {button}. No se envió nada.",
        "no_button.choose": "Aquí no hay botón {button}; elige {known}. No se envió nada.",
        "replaced": "Algunos caracteres no se pudieron leer y se enviaron como �.",
        "typing": "…",
        "file": "Archivo {file} guardado: {path}",
        "file.failed": "El archivo {file} no se pudo guardar aquí: {path}",
        "opens": "Este botón abre {url}",
        "edited": "(cambiado)",
        "not_kept": "Quizá tu último mensaje no se guardó: el coach no lo confirmó.",
        "disk": "Tu mensaje no se envió: no se puede escribir {path} ({why}).",
        "set_aside": "La memoria de la consola estaba dañada; se apartó como {path}.",
        "bye": "Hasta pronto. Todo lo que escribiste está guardado; vuelve con el mismo nombre.",
    },
}


class Words:
    """The console's sentences in one language; English when there are none."""

    languages = tuple(_WORDS)

    def __init__(self, language: str | None) -> None:
        self._words = _WORDS.get((language or "en")[:2].lower(), _WORDS["en"])

    def say(self, key: str, **values: object) -> str:
        """The sentence named `key`, filled in."""
        return self._words[key].format(**values)
