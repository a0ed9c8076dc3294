"""The conversation every rival holds: six messages, each but the last answered by a question."""

from __future__ import annotations

QUESTIONS = (
    "When did this first get personal for you?",
    "What stood in the way?",
    "What did you do when it was up to you?",
    "What was different afterwards?",
    "Who should hear this?",
)
THANKS = "Thank you. That is your story."
HINT = "Send /start to begin."
