"""The library's promises: moments in few words, one question each, and no two alike."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from bot.core.narrative import Element, StoryOf, count_words
from bot.core.practice import MOST_WORDS, PracticePrompt, Season, hints, own_text
from bot.core.turn import Line
from bot.words.catalogue import Catalogue
from bot.words.practice import BadPrompts, load_library

LANGUAGES = Catalogue().languages
LIBRARY = load_library(LANGUAGES)
EVERY = [(p, language) for p in LIBRARY.values() for language in LANGUAGES]
OPINION = re.compile(
    r"\b(do you think|what do you feel about|in your opinion|should we|do you believe|agree that|"
    r"qué opinas|qué piensas|qué te parece|en tu opinión|deberíamos|crees que)\b",
    re.IGNORECASE,
)


def test_there_are_at_least_forty_four_in_every_language() -> None:
    assert len(LIBRARY) >= 44
    assert {"en", "es"} <= set(LANGUAGES)
    assert all(set(p.texts) == set(LANGUAGES) for p in LIBRARY.values())


def test_every_story_has_prompts_for_every_season_and_every_move() -> None:
    found = Counter((p.stage, p.season) for p in LIBRARY.values())
    assert set(found) == {(stage, season) for stage in StoryOf for season in Season}
    moves = {p.move for p in LIBRARY.values()}
    assert moves == {element for element in Element if element.stage is not None}


@pytest.mark.parametrize(("prompt", "language"), EVERY, ids=lambda x: getattr(x, "id", x))
def test_each_asks_one_question_for_a_moment_in_few_words(
    prompt: PracticePrompt, language: str
) -> None:
    text = prompt.texts[language]
    assert count_words(text) <= MOST_WORDS
    assert hints(text) == ()
    assert not OPINION.search(text)
    assert own_text(text) == text
    if language == "es":
        assert text.count("¿") == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_open_alike(language: str) -> None:
    openings = Counter(
        " ".join(re.findall(r"\w+", p.texts[language].casefold())[:3]) for p in LIBRARY.values()
    )
    assert [words for words, times in openings.items() if times > 1] == []
    firsts = Counter(re.findall(r"\w+", p.texts[language].casefold())[0] for p in LIBRARY.values())
    assert max(firsts.values()) <= len(LIBRARY) // 8, firsts.most_common(3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_post_reads_well_in_a_group_and_escapes_what_it_is_filled_with(language: str) -> None:
    post = Catalogue().markup(Line("practice.post", {"prompt": "<b> & co"}), language)
    assert post.startswith("&lt;b&gt; &amp; co\n\n<i>")


@pytest.mark.parametrize(
    "content",
    [
        "- id: x\n  move: self.choice\n  season: starting\n  en: only",
        "- {id: x, move: self.nothing, season: starting, en: a, es: b}",
        "- {id: x, move: self.choice, season: winter, en: a, es: b}",
        "- {id: x, move: us.who, season: starting, en: a, es: b}",
        "- {id: x, move: self.choice, season: starting, en: a, es: b}\n" * 2,
        "- [",
        "- just words",
    ],
)
def test_a_file_that_breaks_the_format_is_refused_by_name(tmp_path: Path, content: str) -> None:
    for stage in StoryOf:
        (tmp_path / f"{stage.value}.yaml").write_text(content if stage is StoryOf.SELF else "[]")
    with pytest.raises(BadPrompts, match=r"self\.yaml"):
        load_library(["en", "es"], tmp_path)
