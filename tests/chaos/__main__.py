"""`python -m tests.chaos --rounds N --seed S [--only ROUND] [--resume FILE] [--budget SECONDS]`."""

from __future__ import annotations

import sys

from tests.chaos.run import main

sys.exit(main())
