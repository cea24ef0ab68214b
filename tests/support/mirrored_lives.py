"""Lives (lives.py) that a mirror follows: what the client and its operator do at each step, and the daemon after it."""
import time

from world import WorldTest


class MirroredLives(WorldTest):
    """The world is `self.w`."""

    def new_world(self):
        self.w = self.world(credentials=0, transactions=0, settings={
            "sync": {"products": ["account"], "product_details": ["account"], "overlap": "730d", "concurrency": 32}})
        self.begin = int(time.time()) - 100_000

    def carry_out(self, orders):
        """What the client and its operator do; tokens before removals."""
        w, statements = self.w, []
        for what, login in orders:
            if what == "register":
                statements.append(f"select {len(statements)}, flanks.register_credential('{login.user}', '{login.token}')")
            elif what == "rotate":
                statements.append(f"select {len(statements)}, {login.credential} from "
                                  f"(select flanks.replace_credentials_token({login.credential}, '{login.token}')) r")
        if statements:
            numbers = [line.split("|") for line in w.sql(" union all ".join(statements) + " order by 1").splitlines()]
            for (_, login), (_, credential) in zip([o for o in orders if o[0] in ("register", "rotate")], numbers):
                login.credential = int(credential)
        removed = [login.credential for what, login in orders if what == "remove" and login.credential is not None]
        if removed:
            w.ok("credentials", "remove", *removed)

    def cycle(self):
        """Everyone is due; a 404 of before was one of an earlier day."""
        self.w.sql("update flanks.credentials set not_found_since = not_found_since - interval '2 days' where not_found_since is not null; "
                   "update flanks_internal.leases set next_due_at = now()")
        done = self.w.cli("run", "--once")
        self.assertIn(done.returncode, (0, 3), done.stderr[-2000:])

    def step(self, everyone, step):
        """One step of all lives, and what the mirror makes of it."""
        w = self.w
        orders = [order for life in everyone for order in life.happen(step)]
        w.sandbox.script([script for life in everyone for script in life.scripts(step, self.begin + step * 1000)])
        for life in everyone:
            for login in life.logins:
                if login.shown and login.end == "blocked":
                    w.sandbox.control("POST", "status", {"credentials_token": login.token, "blocked": True})
        self.carry_out(orders)
        self.cycle()
        if any(not login.alive and login.end == "gone" for life in everyone for login in life.logins):
            self.cycle()  # the second 404, and what follows from it
            w.sandbox.script([s for life in everyone for s in life.scripts(step, self.begin + step * 1000 + 500)])
            self.cycle()
