"""Normal forms and hashes against vectors: the platforms' own (printed in their documents), and ours."""

# ruff: noqa: RUF001 - the letters of other alphabets are what some of this is about

from __future__ import annotations

import hashlib

import pytest

from tests.cases import case
from workers.connectors.audiences.normalisation import FORMS, NotNormal, hashed, hashed_already
from workers.connectors.audiences.normalisation.contacts import regions
from workers.connectors.audiences.normalisation.people import postal_code

NOTHING = ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "d41d8cd98f00b204e9800998ecf8427e")
"""What an empty text hashes to."""

YANDEX_MAIL = "bd93ea95f242f02313eccf0ab0bb7fe5121a052de42d2cb7bd332fb9f537cbfa"
QUINNY = "d00d0a7c6d491b3782fd78b410748048859e16467faa0651f060978d4bb343cc"
MOSCOW_PHONE = "22846ab8f79870871eb44f653419a4a5069301827d8ae75b6c2a88e4989a364e"
PLUS = "f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac"
TOLL_FREE = "92cfdc5fbcd4a20fbe5d3857af6c1aba31762105bba7f21a17155e920653046c"

SHA256 = [
    (" Mail@Yandex.RU ", "latin e-mail", "mail@yandex.ru", YANDEX_MAIL),
    (" Mail@Yandex.RU ", "e-mail", "mail@yandex.ru", YANDEX_MAIL),
    (" Mail@Yandex.RU ", "Google's e-mail", "mail@yandex.ru", YANDEX_MAIL),
    ("8 (999) 555-11-11", "digits of a phone", "79995551111", MOSCOW_PHONE),
    (
        "8 (999) 555-11-11",
        "phone",
        "+79995551111",
        "86cc60992d2e0fde2e5511d462b755057f8f5c6b259a1ff7c2eee2ea284eb113",
    ),
    (
        "79876543210",
        "digits of a phone",
        "79876543210",
        "8bf7d8ef683ac4d7cf7fc6390f99c06e76e0b2022ec0c857c92e0041a53a3d66",
    ),
    (
        "79012345678",
        "digits of a phone",
        "79012345678",
        "f1d83756463b8173a2ec0919afcde6dc0c540de09f1c22620dd5d8150da7d9b7",
    ),
    (
        "example2@yandex.ru",
        "latin e-mail",
        "example2@yandex.ru",
        "8901673b64eeb535bb563cf06b794f2b74dacfb756297cba8bc71e9a09a62e93",
    ),
    (
        "AE:12:34:56:D0:A1",
        "MAC",
        bytes.fromhex("AE123456D0A1"),
        "f74c5e094cea3ecc6289924b11903e8d9920ec4faf38f7ff82b949c5b1214b6c",
    ),
    (
        "mary@example.com",
        "e-mail",
        "mary@example.com",
        "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79",
    ),
    (
        "+1 (555) 987-6543",
        "digits of a phone",
        "15559876543",
        "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e",
    ),
    (
        "+1 (555) 987-6543",
        "phone",
        "+15559876543",
        "a6e349c7a8850f27ebcfa1865854e845c074da83ff19384d4b4c9df78357fa5a",
    ),
    ("  QuinnY@EXAMPLE.com ", "latin e-mail", "quinny@example.com", QUINNY),
    ("  QuinnY@EXAMPLE.com ", "e-mail", "quinny@example.com", QUINNY),
    ("  QuinnY@EXAMPLE.com ", "Google's e-mail", "quinny@example.com", QUINNY),
    (
        "Cloudy.SanFrancisco+shopping@gmail.com",
        "Google's e-mail",
        "cloudysanfrancisco@gmail.com",
        "223ebda6f6889b1494551ba902d9d381daf2f642bae055888e96343d53e9f9c4",
    ),
    (
        "cloudy.sanfrancisco@gmail.com",
        "e-mail",
        "cloudy.sanfrancisco@gmail.com",
        "525044e7c292a5cbf3fd2c045340840106103b3f6a95524b7b81343b16e95d86",
    ),
    (
        "Jefferson.Loves.hiking@googlemail.com",
        "Google's e-mail",
        "jeffersonloveshiking@googlemail.com",
        "2824967181c781aced84c32bf8bb51fc6401202eeff88263776f63c99df9314c",
    ),
    (
        "Jefferson.Loves.hiking@gmail.com",
        "Google's e-mail",
        "jeffersonloveshiking@gmail.com",
        "515d2f967f73864e76937ab2b897210a86fd286016903b1b08c3da07c75f513e",
    ),
    ("user.name+NYC@Example.com", "latin e-mail", "user.name+nyc@example.com", PLUS),
    ("user.name+NYC@Example.com", "e-mail", "user.name+nyc@example.com", PLUS),
    ("user.name+NYC@Example.com", "Google's e-mail", "user.name+nyc@example.com", PLUS),
    (" FamilyName ", "name", "familyname", "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574"),
    (" FamilyName ", "spelled name", "familyname", "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574"),
    ("Mary Ann", "spelled name", "mary ann", "343b97011010c3549fe7fcd6c226ed9431ea37b0b77ed78f6300a0098925faf1"),
    ("O'Brien", "spelled name", "o'brien", "65b87174be3b1b122e2b0929f0b84888637d31a4a83bb96a860bcff411f5e668"),
    ("Мария", "name", "мария", "8f09a8c7679ad321ae49bb24fb83d7f3195f4f85e7652448e62e1394ed4f462b"),
    ("Мария", "spelled name", "мария", "8f09a8c7679ad321ae49bb24fb83d7f3195f4f85e7652448e62e1394ed4f462b"),
    ("Иванов", "name", "иванов", "918d04eb5d3eeab4305518c541c9734f993d780039bdb6b89a40d96a1b02365b"),
    ("Ivanov", "name", "ivanov", "5c00d8a50ce2679c308f5af180b01430282cd6c9df6afd0e7ccc90a2b3955488"),
    ("Москва", "city", "moskva", "09a318d7bc44bfb19c690057f6f473eeee0943d5b94c921dc03136bec059a4c5"),
    ("Saint-Petersburg", "city", "saintpetersburg", "2e338b25ac1193a0d1d22c7ae7bc812cddf1578a3aed53c7affdbd39e9ce69c5"),
    ("RU", "country", "ru", "ed5ad332c106043712705210b4f3d1179e49c5cf426520c74cb8ec48b22b1961"),
    ("US", "country", "us", "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ("Male", "gender", "m", "62c66a7a5dd70c3146618063c344e531e6d4b59e379808443ce962b3abd63c5a"),
    ("Female", "gender", "f", "252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111"),
    ("01.01.1970", "date of birth", "19700101", "531764f38242ecae4d34116402255481859cf83552a545cad2b03268a4204f1a"),
    ("10001-1234", "postal code", "10001", "e443169117a184f91186b401133b20be670c7c0896f9886075e5d9b81e9d076b"),
    ("101000", "postal code", "101000", "4c1d77cf5e1123c03e8cbe8e01dcdeb6d4b146ca1d6c157fdf312d42713c3ea6"),
    (
        "ivan@example.com",
        "latin e-mail",
        "ivan@example.com",
        "7540acb4f04b207c72715708ef0f417c9876b12a94a08173834874d3a3fc7446",
    ),
]
US_NUMBERS = [
    ("phone", "+18005550100", "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30"),
    ("digits of a phone", "18005550100", TOLL_FREE),
]
MD5 = [
    (" Mail@Yandex.RU ", "latin e-mail", "3c56ff8fef0f6c65b36b2d25720fe276"),
    ("8 (999) 555-11-11", "digits of a phone", "f09f2c3d48f31e2a802944ade2e5aec5"),
    ("79876543210", "digits of a phone", "5c5259938ed3e632bc5e3f94731090af"),
    ("79012345678", "digits of a phone", "7cea6da797b7105aee4188b6731a9006"),
    ("example2@yandex.ru", "latin e-mail", "8d2b135ba9bd88fbfbd8ececb31196d1"),
    ("AE:12:34:56:D0:A1", "MAC", "c5c32c30c07abbb7580a0925d995fee4"),
    ("Test@Example.com", "latin e-mail", "55502f40dc8b7c769880b10874abc9d0"),
    ("ivan@example.com", "latin e-mail", "2feb444c58cd098daac78bc257680383"),
]


@pytest.mark.parametrize(("text", "form", "normal", "digest"), SHA256)
def test_each_vector_has_its_normal_form_and_its_sha_256(text: str, form: str, normal: str, digest: str) -> None:
    (found,) = FORMS[form](text, "RU")
    assert (found, hashed(found, "sha256")) == (normal, digest)


@pytest.mark.parametrize(("form", "normal", "digest"), US_NUMBERS)
def test_the_region_says_how_a_number_without_its_country_was_meant(form: str, normal: str, digest: str) -> None:
    (found,) = FORMS[form]("(800)555-0100", "US")
    assert (found, hashed(found, "sha256")) == (normal, digest)
    assert FORMS["phone"]("9995551111", "RU") == ("+79995551111",)
    assert FORMS["phone"]("0044 844 412 4653", "GB") == ("+448444124653",)


@pytest.mark.parametrize(("text", "form", "digest"), MD5)
def test_each_vector_has_its_md5(text: str, form: str, digest: str) -> None:
    (found,) = FORMS[form](text, "RU")
    assert hashed(found, "md5") == digest


def test_a_date_of_birth_goes_to_facebook_in_parts() -> None:
    year, month, day = FORMS["parts of a birth"]("1970-01-01T00:00:00Z", "")
    assert hashed(year, "sha256") == "ad1f3889d0032e7c2791053060e4c044837353325fbd42cdeeef65638ed31c2a"
    assert hashed(month, "sha256") == "938db8c9f82c8cb58d3f3ef4fd250036a48d26a712753d2fde5abd03a85cabf4"
    assert day == month == "01"


@pytest.mark.parametrize(
    ("form", "text", "normal"),
    [
        ("e-mail", "\ufeffAnn@Example.com\u200b ", "ann@example.com"),
        ("e-mail", "Ma\u0308ry@example.com", "märy@example.com"),
        ("digits of a phone", "+7 999 555‑11‑11", "79995551111"),
        ("digits of a phone", "+7 999 555 11 11", "79995551111"),
        ("e-mail", "\u202aAnn@example.com\u202c", "ann@example.com"),
        ("digits of a phone", "\u202a+7 999 555-11-11\u202c", "79995551111"),
        ("digits of a phone", "+33\u202f6\u200900\u200912\u200934\u200956", "33600123456"),
        ("name", "  d'Arc-Östlund, Jr. ", "darcöstlund jr"),
        ("city", "Санкт-Петербург", "sanktpeterburg"),
        ("city", "München", "munchen"),
        ("city", "New York", "newyork"),
        ("city", "Йошкар-Ола", "yoshkarola"),
        ("country", " RU ", "ru"),
        ("gender", "Female", "f"),
        ("gender", "муж.", "m"),
        ("date of birth", "1970-2-3", "19700203"),
        ("mobile id", "38400000-8CF0-11BD-B23E-10B96E40000D", "38400000-8cf0-11bd-b23e-10b96e40000d"),
        ("Apple's id", "384000008cf011bdb23e10b96e40000d", "38400000-8CF0-11BD-B23E-10B96E40000D"),
        ("account", "id0042", "42"),
        ("own id", "crm-42.", "crm-42."),
        ("own id", "Ünï cöde", "Ünï cöde"),
    ],
)
def test_values_as_people_have_them_come_to_their_normal_form(form: str, text: str, normal: str) -> None:
    assert FORMS[form](text, "") == (normal,)


REFUSED = [
    *((form, text) for form in FORMS for text in ("", " ", "\u200b", "\t\n", "x" * 1001)),
    *(("e-mail", text) for text in ("ann", "ann@", "@x.com", "ann@x", "a b@x.com", "a@x.com;b@x.com", "a@x..com")),
    *(("e-mail", text) for text in ("Ann <ann@x.com>", "ann@.com", "ann@x.com.", f"{'a' * 250}@x.com")),
    *((form, "ma\u200bry@example.com") for form in ("e-mail", "Google's e-mail")),
    *(("phone", text) for text in ("+1 555 1234", "+7 123-45-67")),
    ("latin e-mail", "märy@example.com"),
    ("Google's e-mail", ".+x@gmail.com"),
    *(("phone", text) for text in ("999 555", "+0", "1-800-FLOWERS", "+79995551111, +79995552222", "+799955511111")),
    *(("phone", text) for text in ("89995551111", "n/a", "+7 999 555 11 11 ext. 5", "--")),
    *(("name", text) for text in ("-", "..", "'")),
    *(("city", text) for text in ("東京", "12345", "Αθήνα")),
    *(("country", text) for text in ("Russia", "RUS", "xx", "uk")),
    *(("gender", text) for text in ("x", "0", "none")),
    *(("date of birth", text) for text in ("1970-02-30", "01/02/1970", "1899-12-31", "70-01-01", "0", "197")),
    *(("mobile id", text) for text in ("00000000-0000-0000-0000-000000000000", "38400000-8cf0", "n/a")),
    *(("MAC", text) for text in ("AE:12:34:56:D0", "AE:12:34:56:D0:G1")),
    *(("account", text) for text in ("0", "-5", "durov", "12345678901234567890")),
    ("own id", "a\nb"),
    ("name", "\ud800"),
    *((form, "a\0b@x.com") for form in ("e-mail", "name", "city", "own id")),
    ("e-mail", "\ud800@x.com"),
    ("own id", "\ud800"),
    *(("own id", text) for text in (*NOTHING, f" {NOTHING[0].upper()}")),
    *(("mobile id", text) for text in (NOTHING[1], "D41D8CD9-8F00-B204-E980-0998ECF8427E")),
]


def test_what_has_no_normal_form_is_refused_and_its_reason_does_not_show_it() -> None:
    for form, text in REFUSED:
        with case(f"{form}: {text[:20]!a}"):
            with pytest.raises(NotNormal) as refused:
                FORMS[form](text, "")
            assert len(text) < 4 or text not in str(refused.value)
            assert len(str(refused.value)) < 80


def test_without_a_plus_a_number_must_be_one_of_its_region() -> None:
    """Possible lengths would let any digits pass as somebody's number: 79876543210 is one of Germany's."""
    with pytest.raises(NotNormal, match="of its country"):
        FORMS["phone"]("79876543210", "DE")
    assert FORMS["phone"]("+79876543210", "DE") == ("+79876543210",)
    with pytest.raises(NotNormal, match="phone_region"):
        FORMS["phone"]("8 999 555 11 11", "")


def test_nothing_hashes_an_empty_text() -> None:
    for kind in ("sha256", "md5"):
        with pytest.raises(NotNormal):
            hashed("", kind)
        with pytest.raises(NotNormal):
            hashed(b"", kind)
    assert hashlib.sha256(b"").hexdigest() == NOTHING[0]


def test_a_hash_that_is_there_already_is_looked_at_and_taken_as_it_is() -> None:
    assert hashed_already(f" {YANDEX_MAIL.upper()} ", "sha256") == YANDEX_MAIL
    assert hashed_already(MD5[0][2], "md5") == MD5[0][2]
    for text, kind in (("mail@yandex.ru", "sha256"), (MD5[0][2], "sha256"), (YANDEX_MAIL, "md5"), ("", "md5")):
        with pytest.raises(NotNormal, match="hexadecimal"):
            hashed_already(text, kind)  # type: ignore[arg-type]  # drawn from a tuple
    for nothing, kind in zip(NOTHING, ("sha256", "md5"), strict=True):
        with pytest.raises(NotNormal, match="empty"):
            hashed_already(nothing, kind)  # type: ignore[arg-type]  # drawn from a tuple


def test_a_postal_code_is_cut_only_where_the_country_cuts_it() -> None:
    assert postal_code("10001-1234", "us") == "10001"
    assert postal_code("12345-678", "br") == "12345-678"
    assert postal_code("EC1A 1BB", "gb") == "ec1a1bb"


def test_regions_are_countries() -> None:
    assert {"RU", "DE", "US", "KZ"} <= regions()
    assert "ru" not in regions()
