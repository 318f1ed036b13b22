"""Revisions that change more than sizes, and configurations of hundreds of integrations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.faults import Scene

MANY = 300
KEYS = ('"CustomID"', '["CustomID", "_id"]')
"""What the key may be: the second merges less than the first, and tells apart what is one row."""


def revise(scene: Scene) -> None:
    """New revisions with another size, another connector and other words of the queries, in the middle of batches."""
    for number in range(scene.chance.randint(2, 5)):
        scene.session.variant = number
        scene.session.second_connector = scene.chance.random() < 0.5
        scene.reconfigure()
        scene.tell(f"revision {number}, by a second connector: {scene.session.second_connector}")
        time.sleep(scene.chance.uniform(0.0, 0.4))


def change_key(scene: Scene) -> None:
    """The key is another one and back, in the middle of batches; the rows are the same by either."""
    for _ in range(scene.chance.randint(2, 5)):
        scene.session.key = scene.chance.choice(KEYS)
        scene.reconfigure()
        scene.tell(f"the key is {scene.session.key}")
        time.sleep(scene.chance.uniform(0.0, 0.4))


def crowd(scene: Scene) -> None:
    """Hundreds of integrations that want nothing of this round stand beside those that do."""
    scene.session.strangers = MANY
    scene.reconfigure()
    scene.tell(f"{MANY} more integrations")

    def leave() -> None:
        scene.session.strangers = 0
        scene.reconfigure()

    scene.heal.append(leave)
