"""From a profile to what a platform is sent of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from workers.connectors.audiences.fields import CompiledFields, FieldSource
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.identifiers import Identifier, LeftOut, Record
from workers.templates import Row
from workers.templates.plain_value import compile_value


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def fields(platform: str, region: str = "RU", consent: str = "", **sources: str) -> CompiledFields:
    known = PLATFORMS[platform].fields
    found = tuple(
        FieldSource(known[name], compile_value(text, name), known[name].hash) for name, text in sources.items()
    )
    return CompiledFields(platform, found, region, compile_value(consent, "consent") if consent else None)


def record(compiled: CompiledFields, **profile: object) -> Record:
    return compiled.record(Row(profile, 0, 0))


def test_yandex_gets_hashes_of_normal_forms_and_the_rest_along() -> None:
    compiled = fields("yandex-audiences", email="mail", phone="phones[0]", external_id="id")
    assert record(compiled, mail=" Ann@X.com", phones=["8 (999) 555-11-11"], id=42) == Record(
        (Identifier("email", sha("ann@x.com")), Identifier("phone", sha("79995551111"))),
        (Identifier("ext_id", sha("42")),),
    )


def test_vk_gets_md5_of_what_is_personal_and_its_own_ids_as_they_are() -> None:
    compiled = fields("vk-ads", email="mail", vk="vk", idfa="idfa")
    assert record(compiled, mail="ann@x.com", vk="id42", idfa="384000008cf011bdb23e10b96e40000d").identifiers == (
        Identifier("emails", md5("ann@x.com")),
        Identifier("vk", "42", plain=True),
        Identifier("idfa", "38400000-8CF0-11BD-B23E-10B96E40000D", plain=True),
    )


def test_google_s_phones_keep_their_plus_and_gmail_loses_its_dots() -> None:
    compiled = fields("google-audiences", email="mail", phone="phone")
    assert record(compiled, mail="A.nn+x@gmail.com", phone=89995551111).identifiers == (
        Identifier("emailAddress", sha("ann@gmail.com")),
        Identifier("phoneNumber", sha("+79995551111")),
    )


def test_facebook_gets_a_birth_in_parts_along_with_what_finds_the_person() -> None:
    compiled = fields("facebook-ads", em="mail", db="born", ct="city", ge="gender", external_id="id")
    found = record(compiled, mail="ann@x.com", born="1970-01-31", city="Москва", gender="F", id="crm-42.")
    assert found.identifiers == (
        Identifier("EMAIL", sha("ann@x.com")),
        Identifier("EXTERN_ID", "crm-42.", plain=True),
    )
    assert [(one.kind, one.value) for one in found.companions] == [
        ("DOBY", sha("1970")),
        ("DOBM", sha("01")),
        ("DOBD", sha("31")),
        ("CT", sha("moskva")),
        ("GEN", sha("f")),
    ]


def test_what_has_no_normal_form_is_left_out_and_counted_and_the_rest_goes() -> None:
    compiled = fields("yandex-audiences", email="mail", phone="phone", external_id="id")
    found = record(compiled, mail="n/a", phone="89995551111", id=["x"])
    assert found.identifiers == (Identifier("phone", sha("79995551111")),)
    assert found.left_out == (
        LeftOut("email", "no e-mail address"),
        LeftOut("external_id", "expected a text or a number, got a list"),
    )


@pytest.mark.parametrize("nothing", [None, "", "  ", "\t\n"])
def test_what_a_profile_does_not_have_is_no_mistake_and_never_hashed(nothing: object) -> None:
    compiled = fields("facebook-ads", em="mail", ph="phone", fn="name", db="born", external_id="id")
    assert record(compiled, mail=nothing, phone=nothing, name=nothing, born=nothing, id=nothing) == Record()
    assert record(compiled) == Record()


def test_where_hashing_is_off_the_normal_form_goes_as_it_is() -> None:
    compiled = fields("yandex-audiences", email="mail", phone="phone")
    off = replace(compiled, sources=tuple(replace(source, hash="") for source in compiled.sources))
    assert record(off, mail="Ann@X.com", phone="8 999 555-11-11").identifiers == (
        Identifier("email", "ann@x.com", plain=True),
        Identifier("phone", "79995551111", plain=True),
    )


def test_a_declared_hash_is_taken_as_it_is_and_anything_else_is_left_out() -> None:
    known = PLATFORMS["yandex-audiences"].fields["email"]
    compiled = CompiledFields("yandex-audiences", (FieldSource(known, compile_value("sha", "f"), "sha256", True),))
    assert record(compiled, sha=sha("ann@x.com").upper()).identifiers == (Identifier("email", sha("ann@x.com")),)
    for other in ("ann@x.com", md5("ann@x.com"), sha("")):
        found = record(compiled, sha=other)
        assert (found.identifiers, len(found.left_out)) == ((), 1)
        assert other not in found.left_out[0].reason


def test_a_hash_that_nobody_declared_is_no_address() -> None:
    assert record(fields("yandex-audiences", email="sha"), sha=sha("ann@x.com")).identifiers == ()


def test_nothing_is_sent_of_a_profile_that_does_not_say_yes() -> None:
    compiled = fields("yandex-audiences", consent="ads.ok", email="mail")
    refusals: list[object] = [None, False, "no", 0, {}]
    for consent in refusals:
        assert record(compiled, mail="ann@x.com", ads={"ok": consent}) == Record(withheld=True)
    assert record(compiled, mail="ann@x.com", ads={"ok": True}).identifiers


def test_the_same_value_twice_is_sent_once() -> None:
    known = PLATFORMS["vk-ads"].fields["phone"]
    sources = tuple(FieldSource(known, compile_value(name, "f"), known.hash) for name in ("a", "b"))
    assert len(record(CompiledFields("vk-ads", sources), a="+79995551111", b="+7 999 555 11 11").identifiers) == 1


def test_whatever_changes_a_record_changes_the_digest() -> None:
    one = fields("yandex-audiences", email="mail")
    others = [
        fields("yandex-audiences", email="mail2"),
        fields("yandex-audiences", phone="mail"),
        fields("yandex-audiences", region="DE", email="mail"),
        fields("yandex-audiences", consent="ok", email="mail"),
        fields("vk-ads", email="mail"),
        replace(one, sources=(replace(one.sources[0], hash=""),)),
        replace(one, sources=(replace(one.sources[0], already=True),)),
    ]
    assert len({each.digest for each in (one, *others)}) == 8
    assert one.digest == fields("yandex-audiences", email="mail").digest
