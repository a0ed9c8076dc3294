"""The bot's promises, proved on real processes and real HTTP, by kills, by chance and by fuzz.

`make test` proves them in short; `make proof` sets PROOF=whole, takes minutes, and prints figures.
"""

from __future__ import annotations

import os

IS_WHOLE = os.environ.get("PROOF") == "whole"
