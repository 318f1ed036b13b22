"""Keys that some database takes for one row fold alike; usual keys fold apart, or batches would fall to pieces."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers.delivery.key_folding import fold, fold_all, fold_columns, fold_key

ALIKE = [
    ("7", "007", "7.0", " 7 ", "7e0", "+7", "7.4", "0x7", "$7.00", "\uff17"),
    ("1000", "1,000", "1e3", "1000.00"),
    ("0", "-0", "0.0", "00"),
    ("José", "Jose\u0301", "JOSÉ", "jose", "José "),
    ("Straße", "STRASSE", "strasse"),
    ("ﬁn", "fin", "FIN"),
    ("\uff21\uff22\uff23", "abc"),
    ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b4ef8bb6d6bb9bd380a11"),
    ("12345678-1234-1234-1234-1234567891e2", "123456781234123412341234567891e2"),
    ("12345678901234567890", "12345678901234567891", "012345678901234567891.0"),
    ("2024-01-05", "2024-1-5", "20240105", "5 Jan 2024", "2024-01-05 00:00:00+00", "20240105T000000", "01/05/2024"),
    ("ann@example.com", " Ann@Example.COM", "ann@example.com\t"),
    ("2001:db8::1", "2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1/128"),
    ("true", "t", "YES", "1", "on"),
    ("false", "no", "0"),
    ("A-17", "a17", "A_17", "a 17"),
    ("é", "e", "E\u0301"),
    ("😀", "😁"),
    ("カ", "か"),
    (f"{10**24}", f"{10**24 + 1}", f"{10**24 - 1}", "1e24"),
    (f"{19_999_999_999_999_999_999}", f"{20_000_000_000_000_000_000}"),
    ("12345678-1234-1234-1234-123456789012", "12345678123412341234123456789012"),
    ("0", "00", "0\u05d0"),
    ("7" * 40, "7" * 39 + "8"),
    ("привет", "ПРИВЕТ"),
    ("345", "\u0663\u0664\u0665", "\u0969\u096a\u096b", "\u06f3\u06f4\u06f5.0"),
    ("\u1fb3", "\u03b1", "\u0391"),
    ("\uff58\u200by", "xy"),
    ("7.5", "7.5\u200b", "7\u00ad.5", "7.5\x01", "\x7f7.5", "7.5\u05d0"),
    ("5 jan", "5\u200b jan", "5 j\x01an"),
    ("7", "7e0000", "0b111", "0o7", "-0x7", "0b_111", "70e-00001"),
    ("inf", "Infinity", "-infinity", "1e400", "1e1000", "2.5e+99999"),
    ("0", "1e-1000", "0e9999", "0.0e99999"),
]


@pytest.mark.parametrize("spellings", ALIKE, ids=lambda group: group[0])
def test_what_a_target_may_take_for_one_row_folds_alike(spellings: tuple[str, ...]) -> None:
    assert len({fold(one) for one in spellings}) == 1


@pytest.mark.parametrize(
    "different",
    [
        [f"C-{n:06}" for n in range(1000)],
        [str(n) for n in range(500, 1500)],
        [f"{n}" for n in range(9_007_199_254_740_000, 9_007_199_254_741_000)],
        [f"{n}" for n in range(10**29, 10**29 + 10**20, 10**17)],
        [f"user{n}@example.com" for n in range(1000)],
        [blake2b(b"%d" % n, digest_size=16).hexdigest() for n in range(1000)],
        [f"кл-{n}" for n in range(1000)],
        [f"00:1b:44:11:3a:{n:02x}" for n in range(256)],
    ],
    ids=[
        "codes",
        "numbers",
        "large numbers",
        "beyond 64 bits",
        "e-mails",
        "hex",
        "cyrillic",
        "hardware addresses",
    ],
)
def test_usual_keys_fold_apart(different: list[str]) -> None:
    # A few hexadecimal texts are numbers with an exponent: each of them costs a round.
    assert len({fold(one) for one in different}) >= 0.99 * len(different)


def test_a_key_of_several_fields_folds_field_by_field() -> None:
    assert fold_key(("07", "Ann")) == fold_key(("7", "ANN"))
    assert fold_key(("1", "23")) != fold_key(("12", "3"))


@pytest.mark.parametrize(
    "hostile", ["", " ", "\0", "\ud800", "1e999", "9" * 10_000, "0x" + "f" * 10_000, "1e-999999999"]
)
def test_any_text_folds(hostile: str) -> None:
    assert isinstance(fold(hostile), str)


@given(
    st.text(st.sampled_from("aAbfjzt01 .-:_{}$%é\t\x01"), max_size=12)
    | st.from_regex(r"(jan|Feb)[ -]?[0-9]{0,4}|[0-9]{1,9}")
)
def test_what_is_folded_in_one_step_folds_as_all_else(text: str) -> None:
    """A letter that changes nothing, and is not ASCII, takes the long way."""
    assert fold(text) == fold(text + "\u05d0")


USUAL_KEYS = (
    st.from_regex(
        r"\A(A-[0-9]{1,4}|[0-9]{1,20}|[0-9a-f]{24}|[0-9]{1,9}[et][0-9]{0,5}|0[xob][0-9a-f]{1,4}|0{0,3}[a-z1]{1,3}|inf(inity)?)\Z"
    )
    | st.from_regex(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
    | st.sampled_from(
        ["true", "No", "on", "jan 5", "5 jan", "2024-01-05", "20240105", "0", "a:b", "x\ny", "\n", "", "ja\x01n 5"]
    )
    | st.text(st.sampled_from("aAbfjzt01 .-:_{}$%é\t\n\x01"), max_size=12)
)


@example(["jan 5"])
@example(["12345678-1234-1234-1234-123456789012"])
@example(["true", "12e5"])
@given(st.lists(USUAL_KEYS, max_size=4))
def test_a_batch_of_keys_folds_as_each_of_them(texts: list[str]) -> None:
    assert fold_all(texts) == [fold(text) for text in texts]
    keys = [(text, "007") for text in texts]
    assert fold_columns(keys) == [fold_key(key) for key in keys]


def test_keys_as_they_mostly_are_fold_without_a_look_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.delivery.key_folding.fold", None)
    for texts in (["A-17", "0042", "7"], ["ann@example.com"], ["61f0c2d4e5a6b7c8d9e0f1a2"], [str(UUID(int=0xABC))]):
        assert len(fold_all(texts)) == len(texts)
