"""with_world.py COMMAND...: runs it beside an installation of its own (world.py), and ends with its exit code.

What the command finds: flanks-sync in $PATH, which reads $FLANKS_WORLD/config.yaml; other configurations there (nowhere.yaml: a
database that is not there; nobody.yaml: a role without rights; mute.yaml: a provider that says nothing; mistakes.yaml); `sql`,
which runs a statement and prints its rows.
"""
import os
import pathlib
import shlex
import socket
import subprocess
import sys

from world import BINARY, PSQL, World


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def main(command):
    mute = socket.create_server(("127.0.0.1", 0))  # it listens, and nobody ever answers
    world = World(credentials=3, transactions=60, no_oddities=True)
    try:
        world.register_all()
        dsn = f"host={world.cluster.host} user=postgres dbname={world.database}"
        world.sql(f"create role {world.database}_nobody login")
        for name, overrides in (
                ("nowhere", {"database__dsn": f"host={world.cluster.host} user=postgres dbname=nowhere"}),
                ("nobody", {"database__dsn": f"host={world.cluster.host} user={world.database}_nobody dbname={world.database}"}),
                ("mute", {"flanks__base_url": f"https://127.0.0.1:{mute.getsockname()[1]}"}),
                ("config", {})):
            world.write_config(**overrides)
            world.config.rename(world.dir / f"{name}.yaml")
        (world.dir / "mistakes.yaml").write_text("flanks:\n  client_idd: x\nsync:\n  interval: soon\n")
        tools = world.dir / "bin"
        tools.mkdir()
        script(tools / "flanks-sync", f'exec {BINARY} --config "${{FLANKS_CONFIG:-{world.dir}/config.yaml}}" "$@"\n')
        script(tools / "sql", f'exec {PSQL} -X -q -A -t -v ON_ERROR_STOP=1 -d {shlex.quote(dsn)} -c "$1"\n')
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "FLANKS_WORLD": str(world.dir), "TZ": "UTC"}
        sys.exit(subprocess.run(command, env=environment).returncode)
    finally:
        world.close()
        mute.close()


if __name__ == "__main__":
    main([str(pathlib.Path(c)) if os.path.exists(c) else c for c in sys.argv[1:]])
