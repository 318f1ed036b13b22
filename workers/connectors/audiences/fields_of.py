"""The fields that each platform takes, by their names in `fields`, in the order they are shown."""

from __future__ import annotations

from typing import Final

from workers.connectors.audiences.records import Field


def _by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


YANDEX_FIELDS: Final = _by_name(
    Field("email", ("email",), "latin e-mail", "sha256", "Email address"),
    Field("phone", ("phone",), "digits of a phone", "sha256", "Phone number"),
    Field("external_id", ("ext_id",), "own id", "sha256", "The customer's own id of the person", alone=False),
    Field("subscription_id", ("push_id",), "own id", "sha256", "Push subscription id", alone=False),
)
"""A row of Yandex needs an email or a phone; other columns only go along."""

GOOGLE_FIELDS: Final = _by_name(
    Field("email", ("emailAddress",), "Google's e-mail", "sha256", "Email address", list="contact"),
    Field("phone", ("phoneNumber",), "phone", "sha256", "Phone number", list="contact"),
    Field("advertising_id", ("mobileId",), "mobile id", "", "Google Advertising ID", list="android"),
    Field("idfa", ("mobileId",), "Apple's id", "", "Apple's advertising id", list="ios"),
)

VK_FIELDS: Final = _by_name(
    Field("vk", ("vk",), "account", "", "VK user id", list="vk"),
    Field("ok", ("ok",), "account", "", "Odnoklassniki user id", list="ok"),
    Field("email", ("emails",), "latin e-mail", "md5", "Email address", list="emails"),
    Field("phone", ("phones",), "digits of a phone", "md5", "Phone number", list="phones"),
    Field("advertising_id", ("advertising_id",), "mobile id", "", "Google Advertising ID", list="advertising_id"),
    Field("idfa", ("idfa",), "Apple's id", "", "Apple's advertising id", list="idfa"),
)

FACEBOOK_FIELDS: Final = _by_name(
    Field("em", ("EMAIL",), "e-mail", "sha256", "Email address"),
    Field("ph", ("PHONE",), "digits of a phone", "sha256", "Phone number"),
    Field("ct", ("CT",), "city", "sha256", "City", alone=False),
    Field("country", ("COUNTRY",), "country", "sha256", "Country", alone=False),
    Field("fn", ("FN",), "name", "sha256", "First name", alone=False),
    Field("ln", ("LN",), "name", "sha256", "Last name", alone=False),
    Field("ge", ("GEN",), "gender", "sha256", "Gender", alone=False),
    Field("db", ("DOBY", "DOBM", "DOBD"), "parts of a birth", "sha256", "Date of birth", alone=False),
    Field("external_id", ("EXTERN_ID",), "own id", "", "The customer's own id of the person"),
)
