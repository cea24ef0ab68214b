"""A Singer tap for the provider, and MeltanoLabs' target-postgres at its standard input: load_method upsert by the key `_id`,
use_copy, incremental replication with the STATE that the target gives back; the day is asked for with 30 days of overlap.
With `full_table` in the order the other replication method: everything is read each time under a new version, and what has
an older one is deleted (hard_delete), unless a credential could not be read."""
import json
import os
import pathlib
import subprocess
import sys
import time

import simplejson
from provider import answers, read_order

TEXT, NUMBER, DAY, OBJECT = ({"type": ["string", "null"]}, {"type": ["number", "null"]},
                             {"type": ["string", "null"], "format": "date"}, {"type": ["object", "null"]})
PROPERTIES = {
    "_id": {"type": ["string"]}, "credential_id": {"type": ["integer"]}, "amount": NUMBER, "balance": NUMBER,
    "operationDate": DAY, "valueDate": DAY, "transfer": OBJECT, "extra": OBJECT,
    **{name: TEXT for name in ("account_id", "card_id", "investment_id", "liability_id", "portfolio_id", "currency",
                               "description", "productDescription", "category", "shop", "entity", "cardNumber")},
}


def singer(record):
    """A target stores what the schema knows; the rest goes into one object, or it would be dropped."""
    extra = {name: record.pop(name) for name in record.keys() - PROPERTIES.keys()}
    return {**record, "extra": extra} if extra else record


def messages(order, read_to):
    yield {"type": "SCHEMA", "stream": "transactions", "key_properties": ["_id"],
           "schema": {"type": "object", "properties": PROPERTIES}}
    version = {"version": int(time.time() * 1000)} if order.get("full_table") else {}
    unread = len(order["credentials"])
    for _, records in answers(order, read_to):
        unread -= 1
        for record in records:
            yield {"type": "RECORD", "stream": "transactions", "record": singer(record), **version}
    if version and unread == 0:
        yield {"type": "ACTIVATE_VERSION", "stream": "transactions", **version}
    yield {"type": "STATE", "value": {"bookmarks": {"transactions": {"read_to": read_to}}}}


def main(order):
    state = pathlib.Path(order["state"], "state.json")
    config = pathlib.Path(order["state"], "target.json")
    config.write_text(json.dumps({
        "sqlalchemy_url": f"postgresql+psycopg://postgres@/{order['database']}?host={order['host']}",
        "default_target_schema": "bank", "load_method": "upsert", "use_copy": True, "hard_delete": True}))
    read_to = json.loads(state.read_text())["bookmarks"]["transactions"]["read_to"] if state.exists() else {}
    with open(state.with_suffix(".new"), "wb") as out:
        target = subprocess.Popen([os.path.join(os.path.dirname(sys.executable), "target-postgres"), "--config", config],
                                  stdin=subprocess.PIPE, stdout=out)
        try:
            for message in messages(order, read_to):
                target.stdin.write(simplejson.dumps(message, use_decimal=True).encode() + b"\n")
            target.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says why
        if target.wait() != 0:
            sys.exit(f"target-postgres: exit {target.returncode}")
    states = state.with_suffix(".new").read_text().splitlines()
    if states:
        state.write_text(states[-1])


if __name__ == "__main__":
    main(read_order())
