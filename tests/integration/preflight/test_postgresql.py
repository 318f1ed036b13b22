"""What only PostgreSQL does to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.preflight.checking import marked
from tests.servers.postgresql import PASSWORD, PASSWORD_USER, REFUSED_USER
from workers.connectors.sql.postgresql.catalog import PostgresqlExamined

if TYPE_CHECKING:
    from tests.integration.preflight.checking import Place
    from tests.servers.postgresql import PostgresqlServer


def make(place: Place, s: str = "bigint", c: str = 'varchar(255) COLLATE "C"', more: str = "") -> None:
    """The usual tables, with something unusual in them."""
    place.database.create()
    place.database.run(
        "DROP TABLE member",
        f"CREATE TABLE member (segment_id {s}, client_id {c}, updated timestamptz{more},"
        " PRIMARY KEY (segment_id, client_id))",
    )


def test_values_that_fit_are_found_for_columns_of_any_type(postgresql: Place) -> None:
    """The made-up profile has to be a uuid here, a date there, and a network address."""
    make(
        postgresql,
        c="uuid",
        more=", born date, ip inet, points smallint, vip boolean, data jsonb, tags text[], at time, one char(1)",
    )
    names = ["born", "ip", "points", "vip", "data", "tags", "at", "one"]
    values = ", ".join(f"'{{$x.{name}}}'" for name in names)
    add = (
        f"INSERT INTO member (segment_id, client_id, {', '.join(names)}) VALUES {{for $i, $x = $batch}}"
        f"({{segment_id}}, '{{$x.CustomID}}', {values}){{autocomma}}{{end}}"
        " ON CONFLICT (segment_id, client_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in names)
    )
    (finding,) = postgresql.findings(add=add)
    assert (finding.level, finding.where) == ("warning", "integrations.members.key")
    assert "ignores case, hyphens and braces (type uuid)" in finding.what


def test_on_conflict_without_its_key_is_a_mistake(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run("ALTER TABLE member DROP CONSTRAINT member_pkey")
    (finding,) = postgresql.findings()
    assert (finding.level, "postgresql 42P10" in finding.what) == ("mistake", True)


def test_do_nothing_without_any_key_is_a_warning(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run("ALTER TABLE member DROP CONSTRAINT member_pkey")
    add = postgresql.database.queries()["add"].rpartition("\n")[0] + " ON CONFLICT DO NOTHING"
    (finding,) = postgresql.findings(add=add)
    assert (finding.level, "DO NOTHING never meets a row" in finding.what) == ("warning", True)


def test_segment_ids_that_are_numbers_beside_text_are_told(postgresql: Place) -> None:
    """PostgreSQL refuses `text = 7`; whoever has only such ids as "vip" may go on."""
    make(postgresql, s="text")
    found = postgresql.findings()
    assert marked(found) == [("warning", "remove"), ("warning", "clear")]
    assert "fails for segments whose id is a number" in found[0].what
    quoted = {
        name: text.replace("{segment_id}", "'{segment_id}'") for name, text in postgresql.database.queries().items()
    }
    assert postgresql.findings(**quoted) == []


def test_a_type_that_pads_is_named(postgresql: Place) -> None:
    make(postgresql, c="char(40)")
    (finding,) = postgresql.findings()
    assert "ignores trailing blanks" in finding.what
    assert 'COLLATE "C"' in finding.what


def test_a_column_that_must_have_a_value_is_a_mistake(postgresql: Place) -> None:
    make(postgresql, more=", source text NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, n int NOT NULL DEFAULT 0")
    (finding,) = postgresql.findings()
    assert (finding.level, "gives no value for 'source'" in finding.what) == ("mistake", True)
    postgresql.database.run(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.source = 1; RETURN NEW; END'",
        "CREATE TRIGGER fill BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION fill()",
    )
    assert postgresql.findings() == []


def test_names_in_quotes_keep_their_case(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run(
        'CREATE SCHEMA "Crm"',
        'CREATE TABLE "Crm"."Member" ("Id" bigint, "Client" varchar COLLATE "C", PRIMARY KEY ("Id", "Client"))',
    )
    rows = "{for $i, $x = $batch}({segment_id}, '{$x.CustomID}'){autocomma}{end}"
    found = postgresql.findings(
        add=f'INSERT INTO "Crm"."Member" ("Id", "Client") VALUES {rows} ON CONFLICT ("Id", "Client") DO NOTHING',
        remove='DELETE FROM "Crm"."Member" WHERE "Id" = {segment_id} AND "client" IN ({batch_in "CustomID"})',
    )
    assert marked(found) == [("mistake", "remove")]
    assert "did you mean 'Client'?" in found[0].what


def test_who_may_only_select_is_told_what_is_missing(
    postgresql: Place, postgresql_server: PostgresqlServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(postgresql)
    postgresql.database.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {PASSWORD_USER}")
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    url = postgresql_server.url(namespace, PASSWORD_USER)
    connector = f'[connectors.crm]\nurl = "{url}"\npassword = "${{CRM_PASSWORD}}"\n'
    (found,) = postgresql.check(connector, postgresql.database.integration())
    names = ("add", "remove", "clear", "segment_upsert", "segment_delete")
    assert marked(found.findings) == [("mistake", name) for name in names]
    assert all("permission denied for table" in each.what for each in found.findings)
    postgresql.database.run(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {PASSWORD_USER}")
    (found,) = postgresql.check(connector, postgresql.database.integration())
    assert found.findings == []


def test_refusals_at_the_door_are_told(
    postgresql: Place, postgresql_server: PostgresqlServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "planted-secret")
    url = postgresql_server.url(namespace, PASSWORD_USER)
    found = postgresql.check(
        f'[connectors.a]\nurl = "{url}"\npassword = "${{CRM_PASSWORD}}"\n',
        f'[connectors.b]\nurl = "{postgresql_server.url(namespace, REFUSED_USER)}"\n',
        f'[connectors.c]\nurl = "{postgresql_server.url("no_such_database")}"\n',
        '[connectors.d]\nurl = "postgresql://x@no-such-host.invalid/x"\n',
    )
    assert [each.steps[-1].name for each in found] == ["session", "session", "session", "reach"]
    words = ("refuses this user or password", "accepts no connections", "does not exist", "cannot be resolved")
    assert all(word in each.steps[-1].what for word, each in zip(words, found, strict=True))
    assert "planted-secret" not in repr(found)


def test_a_user_whose_transactions_may_only_read_is_told(
    postgresql: Place, postgresql_server: PostgresqlServer, namespace: str
) -> None:
    make(postgresql)
    postgresql_server.run("ALTER DATABASE {} SET default_transaction_read_only = on", namespace)
    (found,) = postgresql.check(postgresql.database.connector(), postgresql.database.integration())
    assert [step.name for step in found.steps if step.mark == "mistake"] == ["writes"]
    assert found.findings == []


def test_a_call_is_neither_run_nor_refused(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run("CREATE PROCEDURE gone() LANGUAGE sql AS 'DELETE FROM member'")
    connector = postgresql.database.connector(allow='["call"]')
    (found,) = postgresql.check(connector, postgresql.database.integration(clear="CALL gone({segment_id})"))
    assert found.findings == []
    assert [line.partition(":")[0] for line in found.unread] == ["integrations.members.queries.clear"]


@pytest.mark.parametrize(
    ("sessions", "mark", "what"),
    [
        ([1, 2], "mistake", "a pooler in transaction mode"),  # the session is another one beside a second link
        ([1, 1], "warning", "in session mode"),  # it stays, and is not the one that answered the login
    ],
)
def test_a_pooler_is_told_by_its_sessions(
    postgresql: Place, monkeypatch: pytest.MonkeyPatch, sessions: list[int], mark: str, what: str
) -> None:
    """As PgBouncer 1.18 was seen to behave."""
    monkeypatch.setattr(PostgresqlExamined, "_session", lambda _: sessions.pop(0))
    (found,) = postgresql.check(postgresql.database.connector())
    (told,) = [each for each in found.steps if each.mark != "fine"]
    assert (told.name, told.mark, what in told.what) == ("direct", mark, True)


def test_a_bare_placeholder_is_tried_as_other_types_too(postgresql: Place) -> None:
    make(postgresql, more=", v int")
    add = (
        "INSERT INTO member (segment_id, client_id, v) VALUES {for $i, $x = $batch}"
        "({segment_id}, '{$x.CustomID}', {$x.v}){autocomma}{end}"
        " ON CONFLICT (segment_id, client_id) DO UPDATE SET v = excluded.v"
    )
    (finding,) = postgresql.findings(add=add)
    assert finding.level == "warning"
    assert finding.what.startswith("for a profile whose 'v' is a boolean: postgresql 42804")
    assert postgresql.findings(add=add.replace("{$x.v}", "'{$x.v}'")) == []


@pytest.mark.parametrize(
    ("column", "ignored"),
    [
        ("bigint", "how a number is written"),
        ("numeric", "how a number is written"),
        ("date", "how a date"),
        ("macaddr", "how an address"),
        ("int4range", "how a range"),
        ("bit varying(64)", "how bits"),
    ],
)
def test_a_type_that_has_several_texts_for_a_value_is_named(postgresql: Place, column: str, ignored: str) -> None:
    make(postgresql, c=column)
    assert any(f"ignores {ignored}" in each.what for each in postgresql.findings())


def test_an_expression_in_a_unique_key_is_named(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run("ALTER TABLE member ADD email text", "CREATE UNIQUE INDEX mail ON member (lower(email))")
    assert postgresql.findings() == []


def test_an_expression_in_the_unique_key_that_names_the_row_is_told(postgresql: Place) -> None:
    make(postgresql)
    postgresql.database.run(
        "ALTER TABLE member DROP CONSTRAINT member_pkey",
        "CREATE UNIQUE INDEX folded ON member (segment_id, lower(client_id))",
    )
    add = postgresql.database.queries()["add"].replace(
        "(segment_id, client_id) DO", "(segment_id, lower(client_id)) DO"
    )
    (finding,) = postgresql.findings(add=add)
    assert "the unique key folded (segment_id) of 'member' is computed by lower" in finding.what


def test_a_batch_with_a_poor_profile_is_tried(postgresql: Place) -> None:
    """PostgreSQL takes a short row alone, and no rows of different lengths."""
    make(postgresql, more=", note text")
    add = (
        "INSERT INTO member VALUES {for $x = $batch}"
        "({segment_id}, '{$x.CustomID}', now(){if $x.note}, '{$x.note}'{end}){autocomma}{end}"
    )
    found = [each.what for each in postgresql.findings(add=add) if each.level == "mistake"]
    assert [what.startswith("in a batch with a profile that has only its key: ") for what in found] == [True], found


def test_a_unique_key_that_is_deferrable_is_a_mistake_for_the_upsert_that_goes_by_it(postgresql: Place) -> None:
    """EXPLAIN takes it, and every run is refused."""
    make(postgresql)
    postgresql.database.run(
        "ALTER TABLE member DROP CONSTRAINT member_pkey, ADD email text",
        "ALTER TABLE member ADD CONSTRAINT whole UNIQUE (segment_id, client_id) DEFERRABLE",
    )
    add = postgresql.database.queries()["add"]
    named, nothing = "ON CONFLICT ON CONSTRAINT {} DO NOTHING", "ON CONFLICT DO NOTHING"
    upserts = [add, *(f"{add.rpartition('ON CONFLICT')[0]}{each}" for each in (named.format("whole"), nothing))]
    for upsert in upserts:
        found = [each for each in postgresql.findings(add=upsert) if each.level == "mistake"]
        assert ["by the unique key whole (segment_id, client_id)" in each.what for each in found] == [True], upsert
    postgresql.database.run("CREATE UNIQUE INDEX other ON member (segment_id, client_id, email)")
    add = f"{add.rpartition('ON CONFLICT')[0]}ON CONFLICT (segment_id, client_id, email) DO NOTHING"
    assert not any(each.level == "mistake" for each in postgresql.findings(add=add))


def test_an_upsert_by_a_constraint_with_a_column_that_fills_itself_is_not_said_to_meet_no_row(
    postgresql: Place,
) -> None:
    make(postgresql)
    postgresql.database.run(
        "ALTER TABLE member DROP CONSTRAINT member_pkey, ADD region text NOT NULL DEFAULT 'eu'",
        "ALTER TABLE member ADD CONSTRAINT whole UNIQUE (segment_id, client_id, region)",
    )
    add, _, changes = postgresql.database.queries()["add"].partition("ON CONFLICT")
    upsert = f"{add}ON CONFLICT ON CONSTRAINT whole {changes[changes.index('DO') :]}"
    assert postgresql.findings(add=upsert) == []


def test_a_sequence_that_the_user_may_not_use_is_a_mistake(
    postgresql: Place, postgresql_server: PostgresqlServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No EXPLAIN asks for that right."""
    make(postgresql, more=", number bigserial, own bigint GENERATED ALWAYS AS IDENTITY")
    postgresql.database.run(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {PASSWORD_USER}")
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    url = postgresql_server.url(namespace, PASSWORD_USER)
    connector = f'[connectors.crm]\nurl = "{url}"\npassword = "${{CRM_PASSWORD}}"\n'
    (found,) = postgresql.check(connector, postgresql.database.integration())
    assert marked(found.findings) == [("mistake", "add")]
    assert found.findings[0].what.endswith("expected GRANT USAGE ON SEQUENCE member_number_seq")
    postgresql.database.run(f"GRANT USAGE ON SEQUENCE member_number_seq TO {PASSWORD_USER}")
    (found,) = postgresql.check(connector, postgresql.database.integration())
    assert found.findings == []


def test_a_domain_is_what_its_type_is(postgresql: Place) -> None:
    postgresql.database.run(
        "CREATE DOMAIN id AS uuid", "CREATE DOMAIN member_id AS id", "CREATE DOMAIN sure AS text NOT NULL"
    )
    make(postgresql, c="member_id", more=", note sure")
    found = {each.what for each in postgresql.findings()}
    assert any("ignores case, hyphens and braces (type public.member_id)" in what for what in found)
    assert any("gives no value for 'note' of 'member', which may not be null" in what for what in found)


def test_a_unique_index_with_a_collation_of_its_own_is_named(
    postgresql: Place, postgresql_server: PostgresqlServer, namespace: str
) -> None:
    make(postgresql)
    postgresql.database.run("CREATE COLLATION lenient (provider = libc, locale = 'C')")
    with postgresql_server.admin(namespace) as admin:  # a server without ICU makes none that is not deterministic
        admin.execute("UPDATE pg_collation SET collisdeterministic = false WHERE collname = 'lenient'")
    postgresql.database.run(
        "ALTER TABLE member DROP CONSTRAINT member_pkey",
        "CREATE UNIQUE INDEX mild ON member (segment_id, client_id COLLATE lenient)",
    )
    (finding,) = postgresql.findings(ordering='"exact"')
    assert (finding.level, "mild (segment_id, client_id) of 'member' compares 'client_id' by" in finding.what) == (
        "mistake", True,
    )  # fmt: skip
