"""The platforms, each in one record."""

from __future__ import annotations

from typing import Final

from workers.connectors.audiences.fields_of import FACEBOOK_FIELDS, GOOGLE_FIELDS, VK_FIELDS, YANDEX_FIELDS
from workers.connectors.audiences.records import BudgetWindow, Platform, Setting

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

YANDEX: Final = Platform(
    key="yandex-audiences",
    name="Yandex.Audiences",
    base_url="https://api-audience.yandex.ru",
    settings=(
        Setting("client_id", "Client ID from Yandex.OAuth"),
        Setting("client_secret", "Client secret from Yandex.OAuth", secret=True),
    ),
    rights=("audience:read", "audience:write"),
    fields=YANDEX_FIELDS,
    hashing_off=True,
    hashing_variable="YAAUDIENCES_SYNC_DO_HASHING",
    largest_call=100_000,
    first_rows=100,
    budget=(BudgetWindow(_MINUTE, 10), BudgetWindow(_HOUR, 100), BudgetWindow(_DAY, 500)),
    looks=(BudgetWindow(_DAY, 4_400),),
    asynchronous=True,
    lands_within=24,
    one_call_at_a_time=True,
    confirms=True,
    row_errors=False,
    replaces="call",
    replace_most=500_000,
)
"""yandex.ru/dev/audience: intro/quotas, intro/data-requirements, ref/openapi/segments. Of 5,000
requests a day 500 may be writes; a few are left for whoever else uses the login."""

GOOGLE: Final = Platform(
    key="google-audiences",
    name="Google Audience",
    base_url="https://datamanager.googleapis.com",
    settings=(
        Setting("client_id", "Client ID"),
        Setting("client_secret", "Client secret", secret=True),
        Setting("account", "Google Ads account, digits only", digits=True),
        Setting("login_account", "Manager account, digits only", required=False, digits=True),
        Setting("app_id", "App whose devices are listed; only with advertising ids", required=False),
        Setting("developer_token", "Developer token; not needed any more", secret=True, required=False),
    ),
    rights=("https://www.googleapis.com/auth/datamanager",),
    fields=GOOGLE_FIELDS,
    largest_call=10_000,
    budget=(BudgetWindow(_MINUTE, 300), BudgetWindow(_DAY, 100_000)),
    looks=(BudgetWindow(_MINUTE, 300), BudgetWindow(_DAY, 100_000)),
    asynchronous=True,
    lands_within=24,
    row_errors=True,
    whole_rows=True,
    replaces="rest",
    replace_most=50_000_000,
    members_expire=540,
    consent=True,
)
"""developers.google.com/data-manager/api: "Send audience members", "Limits and quotas"."""

VK: Final = Platform(
    key="vk-ads",
    name="VK Ads",
    base_url="https://ads.vk.com",
    settings=(
        Setting("client_id", "client_id"),
        Setting("client_secret", "client_secret", secret=True),
    ),
    rights=("read_ads", "create_ads"),
    fields=VK_FIELDS,
    largest_call=100_000,
    first_rows=2_000,
    later_rows=25,
    budget=(BudgetWindow(_HOUR, 10),),
    looks=(BudgetWindow(_HOUR, 200),),
    asynchronous=True,
    lands_within=24,
    row_errors=True,
    replaces="list",
    replace_most=5_000_000,
    members_expire=60,
)
"""ads.vk.com/doc: RemarketingUsersLists, Authorization, throttling."""

FACEBOOK: Final = Platform(
    key="facebook-ads",
    name="Facebook Ads Manager",
    base_url="https://graph.facebook.com/v26.0",
    settings=(
        Setting("account", "Ad account id, digits only", digits=True),
        Setting("app_id", "App ID", required=False),
        Setting("app_secret", "App secret", secret=True, required=False),
        Setting("access_token", "Token of a system user", secret=True),
    ),
    rights=("ads_management",),
    fields=FACEBOOK_FIELDS,
    largest_call=10_000,
    budget=(BudgetWindow(_HOUR, 1_000),),
    asynchronous=False,
    row_errors=True,
    whole_rows=True,
    replaces="session",
    replace_most=8_000_000,
    members_expire=90,
)
"""developers.facebook.com, Marketing API: "Custom Audience Users", "Rate Limiting"."""

PLATFORMS: Final = {each.key: each for each in (YANDEX, GOOGLE, VK, FACEBOOK)}
BUILT: Final = frozenset(PLATFORMS)
"""Those that there is a connector for; nobody can configure another."""
