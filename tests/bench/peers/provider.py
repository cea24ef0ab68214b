"""Reads transactions from the provider for the adapters in Python: one connection, every answer checked as a careful user
would. An answer that did not come whole is skipped, and its days are asked for again the next time."""
import datetime
import http.client
import json
import ssl
import sys
import urllib.parse
from decimal import Decimal

OVERLAP = datetime.timedelta(days=30)  # what sync.overlap is by default
TRIES = 3


class Unread(Exception):
    """Why there is no answer."""


class Provider:
    def __init__(self, order):
        self.order = order
        self.url = urllib.parse.urlsplit(order["url"])
        self.trust = ssl.create_default_context(cafile=order["ca_file"])
        self.connection = None
        self.authorization = {}
        granted = self.post("/v0/token", {"client_id": order["client_id"], "client_secret": order["client_secret"],
                                          "grant_type": "client_credentials"})
        self.authorization = {"Authorization": "Bearer " + granted["access_token"]}

    def post(self, path, body):
        for attempt in range(1, TRIES + 1):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection(self.url.hostname, self.url.port, timeout=60, context=self.trust)
                self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **self.authorization})
                response = self.connection.getresponse()
                text = response.read()
                if response.status != 200:
                    raise Unread(f"{path}: {response.status}")
                return json.loads(text, parse_float=Decimal)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.connection = None
                if attempt == TRIES:
                    raise Unread(f"{path}: {error!r}") from error

    def transactions(self, token, since):
        body = {"credentials_token": token}
        if since is not None:
            body["query"] = {"operationDate": [{"gte": since}]}
        records = self.post("/v0/bank/credentials/data", body)
        if not isinstance(records, list):
            raise Unread("an object, and not a list of operations")
        return records


def answers(order, read_to):
    """(number of the credential, its records) of each that could be read. `read_to` keeps the day of each one's last answer:
    days before that less OVERLAP are asked for only when the order says `whole`."""
    provider = Provider(order)
    for number, token in order["credentials"]:
        last = None if order["whole"] else read_to.get(str(number))
        since = None if last is None else str(datetime.date.fromisoformat(last) - OVERLAP)
        try:
            records = provider.transactions(token, since)
        except Unread as why:
            print(f"credential {number}: {why}", file=sys.stderr)
            continue
        yield number, [{**record, "credential_id": number} for record in records]
        read_to[str(number)] = order["today"]


def read_order():
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)
