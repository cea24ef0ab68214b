// Stripe's sync engine knows Stripe's objects alone. What is used here is its own way to the table: PostgresClient of
// @stripe/sync-engine, upsertManyWithTimestampProtection (INSERT ... ON CONFLICT, one statement a record, five at a time),
// on a table made as its schema builder makes one: _raw_data jsonb, every column generated from it, updated_at by trigger.
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { createRequire } from "node:module";

const OVERLAP_DAYS = 30; // as provider.py
const TRIES = 3;
const WORKERS = 20; // of fullSync, over a pool of 10 connections: the package's defaults

const order = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { PostgresClient } = createRequire(path.join(order.packages, "package.json"))("@stripe/sync-engine");
const stateFile = path.join(order.state, "state.json");
const readTo = fs.existsSync(stateFile) ? JSON.parse(fs.readFileSync(stateFile, "utf8")) : {};
const agent = new https.Agent({ keepAlive: true, ca: fs.readFileSync(order.ca_file) });

const TYPES = {
  amount: "numeric", balance: "numeric", credential_id: "bigint", operationDate: "text", valueDate: "text", transfer: "jsonb",
};
for (const name of ["account_id", "card_id", "investment_id", "liability_id", "portfolio_id", "currency", "description",
  "productDescription", "category", "shop", "entity", "cardNumber"]) TYPES[name] = "text";

function generated([name, type]) {
  const from = { jsonb: `(_raw_data->'${name}')`, text: `(_raw_data->>'${name}')::text` }[type]
    ?? `(NULLIF(_raw_data->>'${name}', ''))::${type}`;
  return `"${name}" ${type} GENERATED ALWAYS AS (${from}) STORED`;
}

const TABLE = `
CREATE SCHEMA IF NOT EXISTS bank;
CREATE TABLE IF NOT EXISTS bank.transactions ("_raw_data" jsonb NOT NULL, "_last_synced_at" timestamptz,
  "_updated_at" timestamptz NOT NULL DEFAULT now(), "_account_id" text NOT NULL,
  "id" text GENERATED ALWAYS AS ((_raw_data->>'id')::text) STORED, ${Object.entries(TYPES).map(generated).join(", ")},
  PRIMARY KEY ("id"));
CREATE INDEX IF NOT EXISTS idx_transactions_account_id ON bank.transactions ("_account_id");
CREATE OR REPLACE FUNCTION bank.set_updated_at() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW._updated_at = now(); RETURN NEW; END; $$;
CREATE OR REPLACE TRIGGER handle_updated_at BEFORE UPDATE ON bank.transactions
  FOR EACH ROW EXECUTE FUNCTION bank.set_updated_at();`;

function once(target, body, headers) {
  return new Promise((resolve, reject) => {
    const request = https.request(order.url + target, { method: "POST", agent, timeout: 60_000,
      headers: { "Content-Type": "application/json", ...headers } }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode !== 200) return reject(new Error(`${target}: ${response.statusCode}`));
        try {
          resolve(JSON.parse(Buffer.concat(parts).toString("utf8")));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
}

async function post(target, body, headers = {}) {
  for (let attempt = 1; ; ++attempt) {
    try {
      return await once(target, body, headers);
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}

function since(number) {
  if (order.whole || !(number in readTo)) return {};
  const day = new Date(Date.parse(readTo[number]) - OVERLAP_DAYS * 86_400_000).toISOString().slice(0, 10);
  return { query: { operationDate: [{ gte: day }] } };
}

const postgres = new PostgresClient({ schema: "bank",
  poolConfig: { host: order.host, user: "postgres", database: order.database, max: 10, keepAlive: true } });
await postgres.query(TABLE);
const grant = await post("/v0/token", { client_id: order.client_id, client_secret: order.client_secret, grant_type: "client_credentials" });
async function read(number, token) {
  try {
    const records = await post("/v0/bank/credentials/data", { credentials_token: token, ...since(number) },
      { Authorization: `Bearer ${grant.access_token}` });
    if (!Array.isArray(records)) throw new Error("an object, and not a list of operations");
    const entries = records.map((record) => ({ ...record, id: record._id, credential_id: number }));
    await postgres.upsertManyWithTimestampProtection(entries, "transactions", String(number));
    readTo[number] = order.today;
  } catch (error) {
    console.error(`credential ${number}: ${error.message}`);
  }
}

const left = [...order.credentials];
async function worker() {
  for (let next; (next = left.shift()) !== undefined;) await read(...next);
}

await Promise.all(Array.from({ length: WORKERS }, worker));
await postgres.pool.end();
agent.destroy();
fs.writeFileSync(stateFile, JSON.stringify(readTo));
