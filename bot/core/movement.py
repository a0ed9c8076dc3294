"""How a group moves, in numbers that single nobody out.

Organizers see how many people opened, began, finished and released, and how many told, listened
or led. Numbers under FEW are not shown, and neither is any number from which one of them would
follow by adding and subtracting what is shown. Source: public-narrative.md, section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

FEW = 5
"""The smallest number organizers and staff are shown."""

_PRIME = 2**61 - 1
"""Sums are checked modulo a prime: exact and fast. It may see one relation too many, never one
too few, so that at worst a number more is hidden."""


class Step(StrEnum):
    """How far somebody came after tapping a prompt's button; each step includes the ones before."""

    OPENED = "opened"
    BEGAN = "began"
    FINISHED = "finished"
    RELEASED = "released"


class Movement(StrEnum):
    """Leadership, as the people themselves report it: told their story to a person, told it again,
    listened to somebody's, led a circle."""

    TOLD = "told"
    RETOLD = "retold"
    LISTENED = "listened"
    LED = "led"


class Hidden(StrEnum):
    """A number that is not shown: FEW, it is under five; WITHHELD, it, or what is left of a whole
    without it, may be."""

    FEW = "few"
    WITHHELD = "withheld"


Shown = int | Hidden


@dataclass(frozen=True)
class Cell:
    """The smallest part of a count: `places` names its row in each table, such as its group."""

    places: Mapping[str, str]
    people: Mapping[str, int]


Tables = dict[str, dict[str, dict[str, Shown]]]
"""Table, row, measure: what may be shown. The table "all" has the one row "all"."""

ALL = "all"
_Row = tuple[str, str]
_Vector = dict[_Row, int]


def shown(cells: Sequence[Cell], measures: Sequence[str], *, nested: bool = True) -> Tables:
    """Every table's rows, summed from the cells, with what must be hidden hidden.

    With `nested`, each measure counts some of the people of the one before it, so that their
    difference may not be small either. Every cell names a row of the same tables.
    """
    if not cells:
        return {ALL: {ALL: dict.fromkeys(measures, Hidden.FEW)}}
    members = _members(cells)
    relations, arounds = _relations(cells), _arounds(cells)
    values = {
        measure: {
            row: sum(cell.people.get(measure, 0) for cell in inside)
            for row, inside in members.items()
        }
        for measure in measures
    }
    tables: Tables = {table: {} for table, _ in members}
    seen: dict[_Row, int] = {}
    for measure in measures:
        counts = values[measure]
        small = {
            row
            for row, count in counts.items()
            if count < FEW or (nested and row in seen and seen[row] - count < FEW)
        }
        hidden = _with_complements(counts, small, relations, arounds)
        words = _words(counts, hidden, relations, members)
        for (table, name), count in counts.items():
            cell = tables[table].setdefault(name, {})
            row = (table, name)
            if row not in hidden:
                cell[measure] = seen[row] = count
            elif nested and row in seen:
                cell[measure] = Hidden.WITHHELD
            else:
                cell[measure] = words[table]
    return tables


def _members(cells: Iterable[Cell]) -> dict[_Row, list[Cell]]:
    """Each row's cells."""
    members: dict[_Row, list[Cell]] = {(ALL, ALL): []}
    for cell in cells:
        members[ALL, ALL].append(cell)
        for row in cell.places.items():
            members.setdefault(row, []).append(cell)
    return members


@dataclass(frozen=True)
class _Around:
    """Rows of one table, and all rows of another that meet them: `within` lie wholly in them."""

    outer: frozenset[_Row]
    inner: frozenset[_Row]
    within: frozenset[_Row]


def _arounds(cells: Iterable[Cell]) -> list[_Around]:
    """Each row, and all rows of one table that some row meets, with what lies in them."""
    meets: dict[_Row, dict[str, set[_Row]]] = {}
    for cell in cells:
        rows = [(ALL, ALL), *cell.places.items()]
        for row in rows:
            for other in rows:
                if other != row:
                    meets.setdefault(row, {}).setdefault(other[0], set()).add(other)
    outers = {frozenset({row}) for row in meets}
    outers |= {frozenset(met) for tables in meets.values() for met in tables.values()}
    found = []
    for outer in sorted(outers, key=sorted):
        table = next(iter(outer))[0]
        inner: dict[str, set[_Row]] = {}
        for row in outer:
            for elsewhere, met in meets[row].items():
                inner.setdefault(elsewhere, set()).update(met)
        for all_met in inner.values():
            within = {row for row in all_met if meets[row][table] <= outer}
            if within:
                found.append(_Around(outer, frozenset(all_met), frozenset(within)))
    return found


def _relations(cells: Iterable[Cell]) -> list[_Vector]:
    """A basis of all sums of rows that are always zero, whatever the numbers are.

    Such a sum gives the rows that any one cell belongs to factors that cancel out: a linear
    equation for each cell. Rows that lie alike in everything have the same factor.
    """
    alike = _alike(cells)
    classes: dict[_Row, list[_Row]] = {}
    for row, first in alike.items():
        classes.setdefault(first, []).append(row)
    equations = {
        frozenset({(ALL, ALL), *(alike[row] for row in cell.places.items())}) for cell in cells
    }
    solved: dict[_Row, _Vector] = {}
    for equation in sorted(equations, key=sorted):
        rest = _substituted(dict.fromkeys(equation, 1), solved)
        if not rest:
            continue
        pivot = min(rest)
        scale = pow(rest.pop(pivot), -1, _PRIME)
        means = {row: -factor * scale % _PRIME for row, factor in rest.items()}
        for row, other in solved.items():
            if pivot in other:
                solved[row] = _substituted(other, {pivot: means})
        solved[pivot] = means
    unknowns = {(ALL, ALL), *alike.values()}
    basis = []
    for free in sorted(unknowns - solved.keys()):
        factors = {free: 1} | {row: m[free] for row, m in solved.items() if free in m}
        basis.append(
            {row: f for first, f in factors.items() for row in classes.get(first, [first])}
        )
    return basis


def _alike(cells: Iterable[Cell]) -> dict[_Row, _Row]:
    """For each row the first one that meets exactly the same rows of the other tables."""
    meets: dict[_Row, set[frozenset[_Row]]] = {}
    for cell in cells:
        for row in cell.places.items():
            others = frozenset(other for other in cell.places.items() if other != row)
            meets.setdefault(row, set()).add(others)
    first: dict[tuple[str, frozenset[frozenset[_Row]]], _Row] = {}
    return {
        row: first.setdefault((row[0], frozenset(others)), row)
        for row, others in sorted(meets.items(), key=lambda item: item[0])
    }


def _substituted(vector: _Vector, solved: Mapping[_Row, _Vector]) -> _Vector:
    result: _Vector = {}
    for row, factor in vector.items():
        for into, times in solved.get(row, {row: 1}).items():
            result[into] = (result.get(into, 0) + factor * times) % _PRIME
    return {row: factor for row, factor in result.items() if factor}


def _with_complements(
    counts: Mapping[_Row, int],
    small: set[_Row],
    relations: Sequence[_Vector],
    arounds: Sequence[_Around],
) -> set[_Row]:
    """The small rows, and as many more as it takes for none of them to follow from the rest."""
    hidden = set(small)
    while True:
        solver = _Solver(relations, hidden)
        revealing = _revealing(counts, small, hidden, solver) or _leaving_few(
            counts, hidden, arounds
        )
        if not revealing:
            return hidden
        hidden.add(min(revealing, key=lambda row: (row[0] != ALL, counts[row], row)))


def _revealing(
    counts: Mapping[_Row, int], small: set[_Row], hidden: set[_Row], solver: _Solver
) -> set[_Row]:
    """Shown rows from which a small number follows; empty when none does."""
    for table in sorted({table for table, _ in hidden}):
        rest = [row for row in hidden if row[0] == table]
        if sum(counts[row] for row in rest) < FEW:
            used = solver.follows_from(dict.fromkeys(rest, 1))
            if used:
                return used
    for known, used in solver.known():
        if len(known) == 1 and next(iter(known)) not in small:
            continue
        same_sign = min(known.values()) > 0 or max(known.values()) < 0
        if same_sign and abs(sum(counts[row] * f for row, f in known.items())) < FEW:
            return used
    return set()


def _leaving_few(
    counts: Mapping[_Row, int], hidden: set[_Row], arounds: Iterable[_Around]
) -> set[_Row]:
    """Shown rows that lie in other shown ones and leave few people there; empty when none do.

    Five who opened a prompt and five of one group, which had no other prompt: whoever else opened
    it is nobody, though nobody's number can be worked out by adding and subtracting alone.
    """
    for one in arounds:
        if one.outer & hidden:
            continue
        within = one.within - hidden
        if within and within != one.inner:
            left = sum(counts[row] for row in one.outer) - sum(counts[row] for row in within)
            if left < FEW:
                return {*one.outer, *within}
    return set()


class _Solver:
    """What can be worked out about hidden rows from shown ones."""

    def __init__(self, relations: Sequence[_Vector], hidden: set[_Row]) -> None:
        self._hidden = hidden
        self._basis: dict[_Row, _Vector] = {}
        for relation in relations:
            rest = self._reduced(relation)
            pivot = min((row for row in rest if row in hidden), default=None)
            if pivot is None:
                continue
            scale = pow(rest[pivot], -1, _PRIME)
            added = {r: f * scale % _PRIME for r, f in rest.items()}
            for row, other in self._basis.items():
                if pivot in other:
                    self._basis[row] = _less(other, added, other[pivot])
            self._basis[pivot] = added

    def _reduced(self, vector: Mapping[_Row, int]) -> _Vector:
        """The same sum with as few hidden rows as can be; basis vectors hold no other's pivot."""
        rest = dict(vector)
        for row in [row for row in rest if row in self._basis]:
            rest = _less(rest, self._basis[row], rest[row])
        return rest

    def follows_from(self, wanted: Mapping[_Row, int]) -> set[_Row]:
        """The shown rows that give the sum `wanted` of hidden rows; empty when none do."""
        rest = self._reduced(wanted)
        return set() if any(row in self._hidden for row in rest) else set(rest)

    def known(self) -> Iterator[tuple[dict[_Row, int], set[_Row]]]:
        """Every independent sum of hidden rows that can be worked out, with the rows it takes."""
        for vector in self._basis.values():
            factors = {r: f if f < _PRIME // 2 else f - _PRIME for r, f in vector.items()}
            known = {row: f for row, f in factors.items() if row in self._hidden}
            yield known, factors.keys() - known.keys()


def _less(vector: Mapping[_Row, int], other: Mapping[_Row, int], times: int) -> _Vector:
    result = dict(vector)
    for row, factor in other.items():
        result[row] = (result.get(row, 0) - times * factor) % _PRIME
    return {row: factor for row, factor in result.items() if factor}


def _words(
    counts: Mapping[_Row, int],
    hidden: set[_Row],
    relations: Sequence[_Vector],
    members: Mapping[_Row, Sequence[Cell]],
) -> dict[str, Hidden]:
    """What to call a table's hidden numbers: "few" only where that gives nothing more away.

    Where a sum of hidden rows can be worked out, knowing that each is under five could pin them
    all down: two that make eight are four and four.
    """
    few = {table for table, _ in counts}
    few -= {row[0] for row in hidden if counts[row] >= FEW}
    shown_rows = [row for row in counts if row not in hidden]
    few -= {t for t in few for row in shown_rows if _is_full(members[row], counts, row, t, hidden)}
    solver = _Solver(relations, hidden)
    sums = [known for known, _ in solver.known()]
    sums += [
        dict.fromkeys(rest, 1)
        for table in few
        if (rest := [row for row in hidden if row[0] == table])
        and solver.follows_from(dict.fromkeys(rest, 1))
    ]
    while True:
        pinned = {
            row[0]
            for known in sums
            if all(row[0] in few for row in known) and _pins(known, counts)
            for row in known
        }
        if not pinned:
            break
        few -= pinned
    return {t: Hidden.FEW if t in few else Hidden.WITHHELD for t, _ in counts}


def _is_full(
    inside: Sequence[Cell], counts: Mapping[_Row, int], row: _Row, table: str, hidden: set[_Row]
) -> bool:
    """Whether a shown number is so large that the table's hidden rows it meets must all be near
    four, if each of them is under five: eight people from two such groups are four and four."""
    meets = {(table, cell.places[table]) for cell in inside if table in cell.places}
    if not meets & hidden or any(table not in cell.places for cell in inside):
        return False
    most = sum(FEW - 1 if other in hidden else counts[other] for other in meets)
    return most - counts[row] < FEW - 1


def _pins(known: Mapping[_Row, int], counts: Mapping[_Row, int]) -> bool:
    """Whether a known sum of numbers that are 0 to 4 leaves one of them fewer possibilities."""
    total = sum(counts[row] * factor for row, factor in known.items())
    most = sum(max(factor, 0) for factor in known.values()) * (FEW - 1)
    least = sum(min(factor, 0) for factor in known.values()) * (FEW - 1)
    widest = max(abs(factor) for factor in known.values()) * (FEW - 1)
    return min(total - least, most - total) < widest
