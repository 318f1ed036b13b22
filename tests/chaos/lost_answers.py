"""Faults that part a command from its answer: it is done, and whoever sent it cannot know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.faults import Scene
    from tests.chaos.proxy import Proxy


def cut_redis_answers(scene: Scene) -> None:
    """Redis executes what it is sent, and its answers are lost, again and again: clients send some of it twice."""
    _cut(scene, scene.session.servers.proxies["redis"], "redis")


def cut_target_answers(scene: Scene) -> None:
    """A target's answers are lost, to COMMIT at times."""
    key = scene.target()
    _cut(scene, scene.session.servers.proxies[key], key)


def _cut(scene: Scene, proxy: Proxy, name: str) -> None:
    for _ in range(scene.chance.randint(2, 6)):
        proxy.cut_answers(scene.chance.randint(1, 4))
        time.sleep(scene.chance.uniform(0.02, 0.4))
        scene.tell(f"answers of {name} cut, {proxy.answers_to_cut} to come")
    scene.heal.append(lambda: proxy.cut_answers(0))
