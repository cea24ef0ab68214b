"""Who may do what after contrib/sql/roles.sql: every role x object x right against an exact list, for each way to set it up.

tests/e2e/rights.txt is that list: `python3 tests/e2e/roles_e2e.py --write` makes it anew; read what has changed before you
commit it.
"""
import pathlib
import subprocess
import sys
import unittest

from world import PSQL, ROOT, Cluster, WorldTest

RIGHTS_FILE = pathlib.Path(__file__).with_name("rights.txt")
ROLES_FILE = ROOT / "contrib/sql/roles.sql"
ROLES = ("owner", "daemon", "application", "reader")

# One line an object; of each role the rights that it has, however it has come by them.
RIGHTS = """
with roles(n, role) as (values (1, 'flanks_owner'), (2, 'flanks_daemon'), (3, 'flanks_application'), (4, 'flanks_reader')),
objects(kind, object, oid, rights) as (
  select 'database', 'flanks'::text, d.oid, 'connect create temporary' from pg_database d where d.datname = current_database()
  union all
  select 'schema', n.nspname, n.oid, 'usage create' from pg_namespace n where n.nspname in ('flanks', 'flanks_internal')
  union all
  select case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end, n.nspname || '.' || c.relname, c.oid,
    case c.relkind when 'S' then 'usage select update' else 'select insert update delete truncate references trigger' end
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('flanks', 'flanks_internal') and c.relkind in ('r', 'p', 'v', 'm', 'S')
  union all
  select 'function', n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', p.oid, 'execute'
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('flanks', 'flanks_internal'))
select kind, object, role, string_agg(r, ' ' order by i) filter (where case kind
    when 'database' then has_database_privilege(role, oid, r) when 'schema' then has_schema_privilege(role, oid, r)
    when 'sequence' then has_sequence_privilege(role, oid, r) when 'function' then has_function_privilege(role, oid, r)
    else has_table_privilege(role, oid, r) end) as rights
from objects cross join roles cross join lateral string_to_table(rights, ' ') with ordinality u(r, i)
group by kind, object, role, n order by array_position(array['database', 'schema', 'table', 'view', 'sequence', 'function'], kind),
  object collate "C", n
"""


def rights_of(world):
    """One line an object: kind and name, then each role with its rights."""
    found = {}
    for row in world.rows(RIGHTS):
        found.setdefault(f"{row['kind']} {row['object']}", []).append(
            f"{row['role'].removeprefix('flanks_')}: {row['rights'] or '-'}")
    return "".join(f"{name}\n    {'; '.join(roles)}\n" for name, roles in found.items())


class Roles(WorldTest):
    def setUp(self):
        # Roles are the cluster's: each test has one of its own.
        Cluster.shared = Cluster()
        self.addCleanup(Cluster.shared.stop)

    def fresh(self):
        return self.world(migrate=False, credentials=2, transactions=40)

    def run_roles(self, world, user="postgres"):
        done = subprocess.run([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", user, "-d", world.database,
                               "-f", ROLES_FILE], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def as_role(self, world, role, statement):
        return subprocess.run([PSQL, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", world.cluster.host, "-U", role, "-d",
                               world.database, "-c", statement], capture_output=True, text=True)

    def dsn(self, world, user):
        return f"host={world.cluster.host} user={user} dbname={world.database}"

    def logins(self, world):
        world.cluster.psql("postgres", "create role an_application login; grant flanks_application to an_application; "
                           "create role a_reader login; grant flanks_reader to a_reader")

    def test_rights_are_those_of_the_list_when_a_superuser_sets_it_up(self):
        world = self.fresh()
        self.assertIn("run this again", self.run_roles(world))
        world.write_config(database__dsn=self.dsn(world, "flanks_owner"))
        world.ok("migrate", "up")
        self.run_roles(world)
        self.assertEqual(RIGHTS_FILE.read_text().splitlines(), rights_of(world).splitlines())
        self.run_roles(world)
        self.assertEqual(RIGHTS_FILE.read_text().splitlines(), rights_of(world).splitlines(), "a second time changes nothing")

    def test_rights_are_the_same_when_an_owner_who_is_no_superuser_sets_it_up(self):
        world = self.fresh()
        world.cluster.psql("postgres", f"create role operator login createrole; alter database {world.database} owner to operator")
        self.run_roles(world, "operator")
        world.write_config(database__dsn=self.dsn(world, "flanks_owner"))
        world.ok("migrate", "up")
        self.run_roles(world, "operator")
        self.assertEqual(RIGHTS_FILE.read_text().splitlines(), rights_of(world).splitlines())
        self.assertEqual(world.sql("select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member "
                                   "where m.roleid = 'flanks_owner'::regrole and r.rolname = 'operator' "
                                   "and not m.admin_option"), "0", "the operator was a member for the script's time only")

    def test_rights_are_the_same_when_the_tables_were_made_by_somebody_else_first(self):
        for user in ("operator", "postgres"):
            with self.subTest(user):
                Cluster.shared = Cluster()
                self.addCleanup(Cluster.shared.stop)
                world = self.fresh()
                world.cluster.psql("postgres", f"create role operator login createrole; alter database {world.database} owner to {user}")
                world.write_config(database__dsn=self.dsn(world, user))
                world.ok("migrate", "up")
                self.run_roles(world, user)
                self.assertEqual(RIGHTS_FILE.read_text().splitlines(), rights_of(world).splitlines())

    def test_each_role_does_its_work_with_its_rights(self):
        world = self.fresh()
        self.run_roles(world)
        world.write_config(database__dsn=self.dsn(world, "flanks_owner"))
        world.ok("migrate", "up")
        self.run_roles(world)
        self.logins(world)
        for number, c in enumerate(world.sandbox.credentials()):
            done = self.as_role(world, "an_application", f"select flanks.register_credential('user-{number}', '{c['credentials_token']}')")
            self.assertEqual((done.returncode, done.stdout.strip()), (0, str(number + 1)), done.stderr)
        world.write_config(database__dsn=self.dsn(world, "flanks_daemon"))
        world.ok("backfill")
        for view in ("credentials", "user_credentials", "sync_status"):
            done = self.as_role(world, "an_application", f"select count(*) from flanks.{view}")
            self.assertEqual((done.returncode, done.stdout.strip()), (0, "2"), done.stderr)
        self.assertIn("permission denied", self.as_role(world, "an_application", "select count(*) from flanks.transactions").stderr)
        # A view runs its functions with the reader's rights, so that only reading every one of them shows that they suffice.
        for relation in world.sql("select oid::regclass from pg_class where relnamespace = 'flanks'::regnamespace "
                                  "and relkind in ('r', 'v')").splitlines():
            done = self.as_role(world, "a_reader", f"select * from {relation}")
            self.assertEqual(done.returncode, 0, done.stderr)
        for call in ("flanks.transactions_as_of(now())", "flanks.transactions_changed_since(now())", "flanks.changes_after(0)",
                     "flanks.changes_position()", "flanks.current_id('x')", "flanks.running()"):
            done = self.as_role(world, "a_reader", f"select count(*) from {call}")
            self.assertEqual(done.returncode, 0, done.stderr)
        for refused in ("select flanks.register_credential('x', 'y')", "select flanks.replace_credentials_token(1, 'y')",
                        "select credentials_token from flanks_internal.credentials_tokens", "delete from flanks.transactions"):
            self.assertIn("permission denied", self.as_role(world, "a_reader", refused).stderr, refused)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        case = Roles()
        case.setUp()
        try:
            made = case.fresh()
            case.run_roles(made)
            made.write_config(database__dsn=case.dsn(made, "flanks_owner"))
            made.ok("migrate", "up")
            case.run_roles(made)
            RIGHTS_FILE.write_text(rights_of(made))
        finally:
            case.doCleanups()
    else:
        unittest.main()
