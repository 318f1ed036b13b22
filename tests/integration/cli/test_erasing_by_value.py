"""`segsync erase --values`: whoever has the value goes with all that is known under their key, and nobody else does."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tests.integration.cli.test_ad_refusals import installation, push, vk, work

if TYPE_CHECKING:
    from tests.fakes.vk import FakeVk
    from tests.integration.place import Call, Place
    from workers.runtime import Runtime

__all__ = ["installation", "vk"]

ANN = "ann@example.com"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def by_value(place: Place, call: Call, *how: str) -> list[dict[str, Any]]:
    file = place.folder / "values.txt"
    file.write_text(f"{ANN}\n")
    found: list[dict[str, Any]] = json.loads(call("erase", "--values", str(file), "--json", *how).stdout)
    return found


def test_who_has_a_value_leaves_every_list_and_segment(
    installation: tuple[Place, Runtime], call: Call, vk: FakeVk
) -> None:
    place, runtime = installation
    ann = {"_id": "ann", "id": "ANN", "email": ANN, "phone": "+79995551111"}
    phones = [{"_id": str(n), "id": str(n), "email": f"p{n}@example.com", "phone": f"+7999555200{n}"} for n in range(4)]
    place.file.write_text(place.file.read_text().replace("segments = [7]", "segments = [7, 8]"))
    assert call("apply", "--yes").returncode == 0
    runtime.follow()
    with place.producer() as producer:
        producer.segment_upsert(8, name="New")
        producer.add(8, [*phones, ann | {"email": "ann.new@example.com"}])
    push(place, runtime, vk, *phones, ann)
    theirs = {(7, "emails", md5(ANN)), (7, "phones", md5("79995551111"))}
    theirs |= {(8, "emails", md5("ann.new@example.com")), (8, "phones", md5("79995551111"))}
    names = {7: "segment 7", 8: "New"}

    def there() -> set[tuple[int, str, str]]:
        return {(n, kind, value) for n, kind, value in theirs if value in vk.members(names[n], kind)}

    assert there() == theirs
    assert [each["found"] for each in by_value(place, call) if each["where"] == "the audiences of vk"] == [4]
    by_value(place, call, "--yes")
    work(place, runtime, vk)
    assert there() == set()
    assert len(vk.members("New", "emails")) == 4


def test_the_entry_of_a_refused_value_goes_with_its_holder(
    installation: tuple[Place, Runtime], call: Call, vk: FakeVk
) -> None:
    place, runtime = installation
    vk.refuses |= {md5(ANN)}
    push(
        place,
        runtime,
        vk,
        {"_id": "17", "id": "ANN", "email": ANN},
        {"_id": "ANN", "id": "bob", "email": "no address"},
        {"_id": "18", "id": "ANN", "email": "no address"},
    )
    push(place, runtime, vk, {"_id": "17", "id": "ANN", "email": ANN})
    by_value(place, call, "--yes")
    entries = json.loads(call("quarantine", "list", "--state", "all", "--json").stdout)["entries"]
    assert {each["profile"] for each in entries if each["state"] == "open"} == {"5", "6", "none", "ANN"}
    (bob,) = [each for each in entries if each["profile"] == "ANN"]
    assert bob["source"] == "lane", "an id that is somebody else's key names nobody"
