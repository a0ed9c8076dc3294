"""Numbers that single nobody out: attacked by adding, subtracting, and trying every possibility."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core.movement import ALL, FEW, Cell, Hidden, Step, Tables, shown

ONE = ["opened"]
Row = tuple[str, str]


def cells(numbers: Mapping[tuple[str, ...], int]) -> list[Cell]:
    """Cells of one measure; a key names the row in tables a, b, c."""
    return [
        Cell(dict(zip("abc", names, strict=False)), {"opened": n}) for names, n in numbers.items()
    ]


def rows_of(given_cells: Sequence[Cell]) -> dict[Row, list[int]]:
    """Each row's cells, by number."""
    rows: dict[Row, list[int]] = {(ALL, ALL): list(range(len(given_cells)))}
    for number, cell in enumerate(given_cells):
        for row in cell.places.items():
            rows.setdefault(row, []).append(number)
    return rows


def is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, Hidden)


def follows(wanted: list[int], known: list[list[int]]) -> bool:
    """Whether a vector is a sum of multiples of others, in exact fractions."""
    basis: list[tuple[int, list[Fraction]]] = []

    def reduced(vector: list[int]) -> list[Fraction]:
        rest = [Fraction(x) for x in vector]
        for pivot, other in basis:
            times = rest[pivot] / other[pivot]
            rest = [a - times * b for a, b in zip(rest, other, strict=True)]
        return rest

    for vector in known:
        rest = reduced(vector)
        pivot = next((i for i, x in enumerate(rest) if x), None)
        if pivot is not None:
            basis.append((pivot, rest))
    return not any(reduced(wanted))


def tables_of_three() -> st.SearchStrategy[list[Cell]]:
    """Groups, prompts and weeks as they may really meet."""
    names = st.tuples(*(st.sampled_from([f"{t}{n}" for n in range(4)]) for t in "abc"))
    return st.dictionaries(names, st.integers(0, 12), min_size=1, max_size=14).map(cells)


@settings(max_examples=150, deadline=None)
@given(tables_of_three())
def test_no_adding_or_subtracting_of_what_is_shown_gives_a_small_number(some: list[Cell]) -> None:
    tables = shown(some, ONE)
    rows = rows_of(some)
    vectors = {row: [int(n in inside) for n in range(len(some))] for row, inside in rows.items()}
    counts = {row: sum(some[n].people["opened"] for n in inside) for row, inside in rows.items()}
    known = [vectors[t, name] for t, name in rows if is_number(tables[t][name]["opened"])]
    for row, count in counts.items():
        value = tables[row[0]][row[1]]["opened"]
        if is_number(value):
            assert value == count >= FEW
        elif count < FEW:
            assert not follows(vectors[row], known)
    for table in tables:
        hidden = [
            row
            for row in rows
            if row[0] == table and not is_number(tables[table][row[1]]["opened"])
        ]
        rest = [sum(vectors[row][n] for row in hidden) for n in range(len(some))]
        if hidden and sum(counts[row] for row in hidden) < FEW:
            assert not follows(rest, known), "nor does what a whole lacks"


@settings(max_examples=60, deadline=None)
@example({("a0", "b0"): 0, ("a0", "b1"): 0, ("a1", "b0"): 5, ("a2", "b0"): 0})
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a0", "a1", "a2"]), st.sampled_from(["b0", "b1"])),
        st.integers(0, 7),
        min_size=1,
        max_size=4,
    )
)
def test_somebody_who_tries_every_possibility_cannot_pin_a_small_number_down(
    numbers: dict[tuple[str, ...], int],
) -> None:
    some = cells(numbers)
    tables = shown(some, ONE)
    rows = rows_of(some)
    possible: dict[Row, set[int]] = {row: set() for row in rows}
    for tried in product(range(11), repeat=len(some)):
        guess = {row: sum(tried[n] for n in inside) for row, inside in rows.items()}
        if all(_fits(tables[t][name]["opened"], guess[t, name]) for t, name in rows):
            for row, count in guess.items():
                possible[row].add(count)
    for row, inside in rows.items():
        if sum(some[n].people["opened"] for n in inside) < FEW:
            assert len(possible[row]) > 1


def test_a_group_that_leaves_nobody_of_its_prompt_pins_no_other_group_down() -> None:
    some = cells({("a0", "b0"): 0, ("a0", "b1"): 0, ("a1", "b0"): 5, ("a2", "b0"): 0})
    tables = shown(some, ONE)
    both = tables["a"]["a1"]["opened"], tables["b"]["b0"]["opened"]
    assert not all(map(is_number, both)), "five of five leaves a2 nobody"


def test_groups_that_leave_few_of_their_prompt_are_not_all_shown_with_it() -> None:
    numbers = {("a0", "b0"): 6, ("a1", "b0"): 7, ("a1", "b1"): 2, ("a2", "b1"): 9, ("a3", "b1"): 6}
    tables = shown(cells(numbers), ONE)
    these = [tables["b"]["b1"]["opened"], tables["a"]["a2"]["opened"], tables["a"]["a3"]["opened"]]
    assert not all(map(is_number, these)), "two would be left of b1"


def _fits(value: object, count: int) -> bool:
    if is_number(value):
        return value == count
    return count < FEW if value is Hidden.FEW else True


people = st.lists(st.integers(0, 15), min_size=4, max_size=4).map(
    lambda four: dict(zip(Step, sorted(four, reverse=True), strict=True))
)


@given(st.dictionaries(st.sampled_from(["g1", "g2", "g3"]), people, min_size=1))
def test_how_many_went_no_further_is_never_a_small_number(
    groups: dict[str, dict[Step, int]],
) -> None:
    tables = shown([Cell({"group": g}, dict(p)) for g, p in groups.items()], list(Step))
    for rows in tables.values():
        for steps in rows.values():
            numbers = [n for n in steps.values() if is_number(n)]
            assert all(a - b >= FEW for a, b in pairwise(numbers))


def group(numbers: Mapping[str, int]) -> Tables:
    return shown([Cell({"group": g}, {"told": n}) for g, n in numbers.items()], ["told"])


def test_five_is_shown_and_four_is_few() -> None:
    tables = group({"hill": 5, "quay": 4, "mill": 3, "lane": 1})
    assert tables["group"]["hill"] == {"told": 5}
    assert tables["group"]["quay"] == {"told": Hidden.FEW}


def test_one_hidden_number_takes_the_whole_with_it() -> None:
    tables = group({"hill": 9, "quay": 2, "mill": 7})
    assert tables["group"]["hill"] == {"told": 9}
    assert tables[ALL][ALL] == {"told": Hidden.WITHHELD}


def test_two_that_make_eight_are_not_called_few() -> None:
    tables = group({"hill": 6, "quay": 4, "mill": 4})
    assert tables[ALL][ALL] == {"told": 14}
    assert tables["group"]["quay"] == tables["group"]["mill"] == {"told": Hidden.WITHHELD}


def test_a_prompt_that_only_one_group_had_tells_nothing_about_that_group() -> None:
    tables = shown(cells({("a1", "b1"): 8, ("a1", "b2"): 2, ("a2", "b1"): 9}), ONE)
    assert tables["a"]["a1"] == {"opened": 10}
    assert not is_number(tables["b"]["b2"]["opened"])
    assert not (is_number(tables["b"]["b1"]["opened"]) and is_number(tables["a"]["a2"]["opened"]))


def test_nothing_at_all_is_nothing_to_show() -> None:
    assert shown([], list(Step))[ALL][ALL] == dict.fromkeys(Step, Hidden.FEW)
