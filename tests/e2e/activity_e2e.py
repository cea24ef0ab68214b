"""Who looks into pg_stat_activity sees what each connection is for and which statement it runs, by our name of it."""
import re
import subprocess
import unittest

from world import PSQL, WorldTest, wait_until


class Activity(WorldTest):
    def seen(self, world, name="flanks-sync%"):
        """application_name -> the last statement of each connection of ours that has run one; `name`: another one that is ours."""
        found = {}
        for row in world.rows("select application_name, query from pg_stat_activity where datname = current_database() "
                              f"and pid <> pg_backend_pid() and application_name like '{name}' and query <> ''"):
            found.setdefault(row["application_name"], []).append(row["query"].strip())
        return found

    def test_each_connection_of_the_daemon_says_what_it_is_for(self):
        world = self.world(credentials=3, transactions=40, settings={"sync": {"poll": "1s"}, "admin": {"listen": "127.0.0.1:0"}})
        world.register_all()
        daemon = world.start("run")
        expected = {"flanks-sync run workers", "flanks-sync run rate limit"}
        wait_until(lambda: expected <= set(self.seen(world)), f"{expected} are connected")
        wait_until(lambda: world.sql("select count(*) from flanks.credentials where last_success_at is null") == "0", "all is read")
        for name, statements in self.seen(world).items():
            self.assertRegex(name, r"^flanks-sync run( (workers|rate limit|admin|discovery))?$")
            for statement in statements:
                self.assertTrue(statement in ("begin", "commit", "rollback") or re.match(r"/\* flanks-sync [a-z_]+ \*/", statement),
                                statement)
        daemon.terminate()
        daemon.wait()

    def test_a_command_is_named_as_it_was_typed(self):
        world = self.world(credentials=1, transactions=4)
        # It waits for the lock, and is looked at meanwhile.
        holder = subprocess.Popen([PSQL, "-X", "-q", "-h", world.cluster.host, "-U", "postgres", "-d", world.database],
                                  stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        holder.stdin.write("begin; lock table flanks.credentials; select 1;\n")
        holder.stdin.flush()
        wait_until(lambda: world.sql("select count(*) from pg_locks where relation = 'flanks.credentials'::regclass "
                                     "and mode = 'AccessExclusiveLock' and granted") == "1", "it is locked")
        world.start("credentials", "list")
        wait_until(lambda: "flanks-sync credentials list" in self.seen(world), "the command is connected")
        statement = wait_until(lambda: next((s for s in self.seen(world).get("flanks-sync credentials list", [])
                                             if "flanks.credentials" in s), None), "it waits")
        self.assertRegex(statement, r"^/\* flanks-sync [a-z_]+ \*/ ")
        holder.stdin.close()
        holder.wait()

    def test_a_dsn_with_a_name_of_its_own_keeps_it(self):
        world = self.world(credentials=1, transactions=4)
        world.write_config(database__dsn=f"host={world.cluster.host} user=postgres dbname={world.database} application_name=mirror-7")
        world.start("run")
        wait_until(lambda: "mirror-7" in self.seen(world, "mirror-7"), "it is connected under that name")


if __name__ == "__main__":
    unittest.main()
