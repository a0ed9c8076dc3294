"""Pictures: every letter is there, and what is hidden is drawn alike, whatever it is."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.core.movement import Cell, Hidden, Step, shown
from bot.core.picture import Bar, Part, Sheet, Unit
from bot.core.turn import Line
from bot.drawing.bars import STUB, WIDTH, drawable, png
from bot.usecases.picturing import overview, table
from bot.usecases.results import Posts, Results, Row
from tests.fakes import A_TUESDAY, catalogue

HIDDEN = {Hidden.FEW: "fewer than five", Hidden.WITHHELD: "not shown"}


def picture(*bars: Bar[str], heading: str = "People") -> Image.Image:
    sheet = Sheet("Results", (Part(Unit.PEOPLE, bars, heading),), HIDDEN)
    return Image.open(io.BytesIO(png(sheet)))


def longest_run(image: Image.Image, colour: tuple[int, int, int]) -> int:
    """The longest row of neighbouring pixels of one colour, anywhere."""
    most, pixels = 0, image.convert("RGB").load()
    for y in range(0, image.height, 4):
        run = 0
        for x in range(image.width):
            run = run + 1 if pixels[x, y] == colour else 0  # type: ignore[index]
            most = max(most, run)
    return most


BLUE = (0x1F, 0x5A, 0x94)


@pytest.mark.parametrize("text", ["áéíóúüñ ÁÉÍÓÚÜÑ ¿¡«»“”…–", "ãõçêà", "Жильцы", "Łódź ğşı"])
def test_the_font_has_every_letter(text: str) -> None:
    assert drawable(text) == text


def test_what_the_font_does_not_have_is_left_out_and_a_name_of_nothing_else_is_its_number() -> None:
    assert drawable("Hall 🌳🙂 14") == "Hall 14"
    with_emoji = picture(Bar("opened", 9), heading="🌳🌳")
    assert with_emoji.tobytes() == picture(Bar("opened", 9), heading="1.").tobytes()


def test_bars_are_as_long_as_their_numbers() -> None:
    short = longest_run(picture(Bar("a", 10), Bar("b", Hidden.FEW)), BLUE)
    assert short > 300
    pair = picture(Bar("a", 40), Bar("b", 10)).convert("RGB")
    strips = [pair.crop((0, y, WIDTH, y + 8)) for y in range(0, pair.height, 8)]
    lengths = [longest_run(strip, BLUE) for strip in strips]
    whole = max(lengths)
    quarter = max(length for length in lengths if length < whole / 2)
    assert abs(whole / 4 - quarter) <= 4


def test_a_hidden_number_has_no_length() -> None:
    image = picture(Bar("a", Hidden.FEW), Bar("b", Hidden.WITHHELD))
    assert longest_run(image, BLUE) == 0
    assert image.width == WIDTH and STUB > 0


@pytest.mark.parametrize("language", ["en", "es"])
def test_worlds_that_differ_only_in_hidden_numbers_give_the_same_picture(language: str) -> None:
    """Two people or four, one who released or none: not a pixel differs."""

    def drawn(few: int, released: int) -> list[bytes]:
        people = (
            {"opened": 31, "began": 25, "finished": 12, "released": released},
            {"opened": 12, "began": few, "finished": few, "released": 0},
        )
        cells = [
            Cell({"group": f"g{n}", "prompt": "p", "week": "2026-W48"}, each)
            for n, each in enumerate(people)
        ]
        tables = shown(cells, list(Step))
        rows = {
            name: tuple(
                Row(key, key, Posts(posted=1), {s: numbers[s.value] for s in Step})
                for key, numbers in found.items()
            )
            for name, found in tables.items()
        }
        results = Results(rows["all"][0], rows["group"], rows["prompt"], rows["week"], (), ())

        def say(line: Line) -> str:
            return catalogue().text(line, language)

        sheets = [overview(results, A_TUESDAY.date()), table("group", results.groups)]
        assert sheets[1].parts[1].bars[1].number in set(Hidden)
        return [png(sheet.worded(say)) for sheet in sheets]

    assert drawn(2, 0) == drawn(4, 3)


def test_a_very_long_name_and_a_very_large_number_stay_inside() -> None:
    image = picture(Bar("W" * 80, 123_456_789), heading="M" * 300).convert("RGB")
    edge = image.crop((image.width - 24, 0, image.width, image.height))
    assert edge.getcolors() == [(24 * image.height, (255, 255, 255))]
