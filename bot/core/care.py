"""What screening may say about a message: danger first, then who could be identified."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Safety(StrEnum):
    """CRISIS: someone may be in danger now. DISTRESS: a painful past told, grief, panic.

    DOUBT: danger cannot be ruled out, though nothing said so plainly; the coach asks whether they
    are safe, and `coach screen` counts it as crisis.
    """

    CRISIS = "crisis"
    DOUBT = "doubt"
    DISTRESS = "distress"
    NONE = "none"


class SpanKind(StrEnum):
    """Why a passage may identify somebody; the names `coach screen` prints."""

    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    FULL_NAME_THIRD_PARTY = "full_name_third_party"
    HANDLE = "handle"
    ID_NUMBER = "id_number"
    MINOR_IDENTITY = "minor_identity"
    HEALTH_THIRD_PARTY = "health_third_party"
    IMMIGRATION_THIRD_PARTY = "immigration_third_party"


@dataclass(frozen=True)
class Span:
    """A passage of a text, verbatim; `start` counts characters from 0."""

    text: str
    kind: SpanKind
    start: int


@dataclass(frozen=True)
class Screening:
    """Everything screening found in one text."""

    safety: Safety = Safety.NONE
    spans: tuple[Span, ...] = ()
