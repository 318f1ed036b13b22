"""The fields that each platform takes, by their names in `fields`, in the order they are shown."""

from __future__ import annotations

from typing import Final

from workers.connectors.audiences.records import AdField


def _by_name(*fields: AdField) -> dict[str, AdField]:
    return {field.name: field for field in fields}


_OWN_ID, _PUSH_ID = "The customer's own id of the person", "Push subscription id"

YANDEX_FIELDS: Final = _by_name(
    AdField("email", ("email",), "latin e-mail", "sha256", "Email address"),
    AdField("phone", ("phone",), "digits of a phone", "sha256", "Phone number"),
    AdField(
        "external_id",
        ("ext_id",),
        "own id",
        "sha256",
        _OWN_ID,
        alone=False,
        also="externalIDValue",
    ),
    AdField(
        "subscription_id",
        ("push_id",),
        "own id",
        "sha256",
        "Push subscription id",
        alone=False,
        also="PushData.SubscriptionID",
    ),
)
"""A row of Yandex needs an email or a phone; other columns only go along."""

GOOGLE_FIELDS: Final = _by_name(
    AdField("email", ("emailAddress",), "Google's e-mail", "sha256", "Email address", list="contact"),
    AdField("phone", ("phoneNumber",), "phone", "sha256", "Phone number", list="contact"),
    AdField("advertising_id", ("android",), "mobile id", "", "Google Advertising ID", list="android"),
    AdField("idfa", ("ios",), "Apple's id", "", "Apple's advertising id", list="ios"),
)

VK_FIELDS: Final = _by_name(
    AdField("vk", ("vk",), "account", "", "VK user id", list="vk"),
    AdField("ok", ("ok",), "account", "", "Odnoklassniki user id", list="ok"),
    AdField("email", ("emails",), "latin e-mail", "md5", "Email address", list="emails"),
    AdField("phone", ("phones",), "digits of a phone", "md5", "Phone number", list="phones"),
    AdField("advertising_id", ("advertising_id",), "mobile id", "", "Google Advertising ID", list="advertising_id"),
    AdField("idfa", ("idfa",), "Apple's id", "", "Apple's advertising id", list="idfa"),
)

FACEBOOK_FIELDS: Final = _by_name(
    AdField("em", ("EMAIL",), "e-mail", "sha256", "Email address"),
    AdField("ph", ("PHONE",), "digits of a phone", "sha256", "Phone number"),
    AdField("ct", ("CT",), "city", "sha256", "City", alone=False),
    AdField("country", ("COUNTRY",), "country", "sha256", "Country", alone=False),
    AdField("fn", ("FN",), "name", "sha256", "First name", alone=False),
    AdField("ln", ("LN",), "name", "sha256", "Last name", alone=False),
    AdField("ge", ("GEN",), "gender", "sha256", "Gender", alone=False),
    AdField("db", ("DOBY", "DOBM", "DOBD"), "parts of a birth", "sha256", "Date of birth", alone=False),
    AdField("external_id", ("EXTERN_ID",), "own id", "", _OWN_ID),
)
