"""The calls of each platform, as its documents have them; what nobody documents is no call.

yandex.ru/dev/audience (ref/openapi/segments) and yandex.ru/dev/id; ads.vk.com/doc (RemarketingUsersLists, Segments,
Authorization); developers.facebook.com, Marketing API ("Custom Audience", "Custom Audience Users"); and
developers.google.com/data-manager/api, whose bodies Google's own types know (`oracle.py`).
"""

from __future__ import annotations

import re

from tests.fakes.shapes import DIGITS, Shape

_TRUTH = {"true", "false"}
_NAME = re.compile(r".*\S.*", re.DOTALL)
_TOKEN = {"grant_type": {"authorization_code", "refresh_token"}, "code?": str, "refresh_token?": str}
_CLIENT = {"client_id": str, "client_secret": str}

_SEGMENT = {
    "id": int,
    "name": _NAME,
    "hashed": bool,
    "hashing_alg?": {"SHA256", "MD5"},
    "content_type": {"crm", "idfa_gaid", "mac"},
    "device_matching_type?": {"CROSS_DEVICE", "IN_DEVICE"},
}
_MODIFIES = {"modification_type": {"addition", "subtraction", "replace"}, "check_size?": _TRUTH}
_YANDEX = "/v1/management"
YANDEX = (
    Shape("POST", "/token", {}, "form", _TOKEN | _CLIENT),
    Shape("GET", f"{_YANDEX}/segments", {"limit": DIGITS, "offset": DIGITS}),
    Shape("POST", f"{_YANDEX}/segments/upload_csv_file", {}, "parts", {"file": str}),
    Shape("POST", rf"{_YANDEX}/segment/\d+/confirm", {"check_size?": _TRUTH}, "json", {"segment": _SEGMENT}),
    Shape("POST", rf"{_YANDEX}/segment/\d+/modify_data", _MODIFIES, "parts", {"file": str}),
    Shape("PUT", rf"{_YANDEX}/segment/\d+", {}, "json", {"segment": {"name": _NAME}}),
    Shape("DELETE", rf"{_YANDEX}/segment/\d+"),
)

_KINDS = {"vk", "ok", "emails", "phones", "device_id", "android_id", "advertising_id", "idfa", "mac", "mm", "dmp_id"}
_LISTED = re.compile(r"[1-9]|[1-4]\d|50")
_FILE = {"file": str, "name": re.compile(r".{1,255}"), "type": _KINDS, "base?": re.compile(r"-?\d+")}
_SOURCE = {"source_id": int, "type": {"positive"}}
_RELATION = {"object_type": str, "params": _SOURCE}
_RELATED = {"name": _NAME, "pass_condition": int, "relations": [_RELATION]}
_LISTS, _SEGMENTS = r"/api/v3/remarketing/users_lists", r"/api/v2/remarketing/segments"
_VK_TOKEN = {"grant_type": {"client_credentials", "refresh_token"}, "refresh_token?": str}
VK = (
    Shape("POST", r"/api/v2/oauth2/token\.json", {}, "form", _VK_TOKEN | _CLIENT),
    Shape("GET", rf"{_LISTS}\.json", {"_q?": re.compile(r".{1,255}"), "limit": _LISTED, "offset": DIGITS}),
    Shape("POST", rf"{_LISTS}\.json", {}, "parts", _FILE),
    Shape("GET", rf"{_LISTS}/\d+\.json"),
    Shape("POST", rf"{_LISTS}/\d+\.json", {}, "json", {"name": _NAME}),
    Shape("DELETE", rf"{_LISTS}/\d+\.json"),
    Shape("GET", rf"{_SEGMENTS}\.json", {"limit": _LISTED, "offset": DIGITS}),
    Shape("POST", rf"{_SEGMENTS}\.json", {}, "json", _RELATED),
    Shape("POST", rf"{_SEGMENTS}/\d+\.json", {}, "json", {"name": _NAME}),
    Shape("GET", rf"{_SEGMENTS}/\d+/relations\.json", {"fields?": str}),
    Shape("POST", rf"{_SEGMENTS}/\d+/relations\.json", {}, "json", {"items": [_RELATION]}),
    Shape("DELETE", rf"{_SEGMENTS}/\d+/relations/\d+\.json"),
    Shape("DELETE", rf"{_SEGMENTS}/\d+\.json"),
)

_KEYS = {"EMAIL", "PHONE", "FN", "LN", "FI", "GEN", "DOBY", "DOBM", "DOBD", "CT", "ST", "ZIP", "COUNTRY"}
_PAYLOAD = {"schema": [_KEYS | {"MADID", "EXTERN_ID"}], "data": list}
_SESSION = {"session_id": int, "batch_seq": int, "last_batch_flag": bool, "estimated_num_total": int}
_USERS = {"payload": _PAYLOAD, "session": _SESSION}
_SOURCES = {"USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"}
_MADE = {"name": _NAME, "description?": str, "subtype": {"CUSTOM"}, "customer_file_source": _SOURCES}
_PROOF = {"appsecret_proof?": re.compile("[0-9a-f]{64}")}
_PAGED = _PROOF | {"fields": str, "limit": DIGITS, "after?": str}
FACEBOOK = (
    Shape("GET", "/debug_token", _PROOF | {"input_token": str}),
    Shape("GET", r"/act_\d+", _PROOF | {"fields": str}),
    Shape("GET", r"/act_\d+/customaudiences", _PAGED),
    Shape("POST", r"/act_\d+/customaudiences", _PROOF, "json", _MADE),
    Shape("POST", r"/\d+/users", _PROOF, "json", _USERS),
    Shape("DELETE", r"/\d+/users", _PROOF, "json", _USERS),
    Shape("POST", r"/\d+/usersreplace", _PROOF, "json", _USERS),
    Shape("GET", r"/\d+", _PROOF | {"fields": str}),
    Shape("POST", r"/\d+", _PROOF, "json", {"name": _NAME}),
    Shape("DELETE", r"/\d+", _PROOF),
)

_GOOGLE_LISTS = r"/v1/accountTypes/GOOGLE_ADS/accounts/\d+/userLists"
_PAGES = {"pageSize": DIGITS, "pageToken?": str}
GOOGLE = (
    Shape("POST", "/token", {}, "form", _TOKEN | _CLIENT | {"redirect_uri?": str}),
    Shape("GET", _GOOGLE_LISTS, _PAGES),
    Shape("POST", _GOOGLE_LISTS, {}, "json", dict),
    Shape("PATCH", rf"{_GOOGLE_LISTS}/\d+", {"updateMask": {"displayName"}}, "json", {"displayName": _NAME}),
    Shape("DELETE", rf"{_GOOGLE_LISTS}/\d+"),
    Shape("POST", "/v1/audienceMembers:ingest", {}, "json", dict),
    Shape("POST", "/v1/audienceMembers:remove", {}, "json", dict),
    Shape("POST", "/v1/audienceMembers:removeAll", {}, "json", dict),
    Shape("GET", "/v1/requestStatus:retrieve", {"requestId": str}),
)
