#!/usr/bin/env python3
"""Describes the tables by their own comments: docs/tables.md and contrib/dbt/models/sources.yml.

  describe.py tables  [CONNINFO]    prints docs/tables.md
  describe.py sources [CONNINFO]    prints contrib/dbt/models/sources.yml

CONNINFO is a database that `flanks-sync migrate up` has made, as psql takes it (default: the environment). Whoever
changes a migration runs both again; a test compares the committed files with a fresh run.
"""
import json
import re
import subprocess
import sys

# One document with everything that is said about schema flanks. What belongs together comes together: by the order below.
CATALOG = r"""
select jsonb_build_object(
  'relations', (select jsonb_agg(jsonb_build_object(
      'name', c.relname, 'kind', case c.relkind when 'v' then 'view' else 'table' end, 'comment', obj_description(c.oid, 'pg_class'),
      'columns', (select jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'not_null', a.attnotnull, 'comment', col_description(c.oid, a.attnum)) order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'constraints', (select coalesce(jsonb_agg(jsonb_build_object('kind', k.contype, 'text', pg_get_constraintdef(k.oid),
            'columns', (select jsonb_agg(a.attname order by u.n) from unnest(k.conkey) with ordinality u(attnum, n)
                join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum),
            'to', (select f.relname from pg_class f join pg_namespace fn on fn.oid = f.relnamespace
                where f.oid = k.confrelid and fn.nspname = 'flanks'),
            'to_columns', (select jsonb_agg(a.attname order by u.n) from unnest(k.confkey) with ordinality u(attnum, n)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.attnum)) order by k.contype, k.conname), '[]')
          from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'c')),
      'indexes', (select coalesce(jsonb_agg(jsonb_build_object('name', i.relname, 'comment', obj_description(i.oid, 'pg_class'),
            'text', regexp_replace(pg_get_indexdef(i.oid), '^.* USING (.*)$', '\1')) order by i.relname), '[]')
          from pg_index x join pg_class i on i.oid = x.indexrelid
          where x.indrelid = c.oid and not exists (select from pg_constraint k where k.conindid = i.oid))) order by c.relname)
    from pg_class c where c.relnamespace = 'flanks'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')),
  'functions', (select jsonb_agg(jsonb_build_object('name', p.proname, 'arguments', pg_get_function_arguments(p.oid),
      'returns', pg_get_function_result(p.oid), 'comment', obj_description(p.oid, 'pg_proc')) order by p.proname)
    from pg_proc p where p.pronamespace = 'flanks'::regnamespace))
"""

# Which chapter a relation is in; one that is in none comes last, under a chapter of its own.
CHAPTERS = (
    ("Operations", "transactions_distinct transactions_current transactions transaction_sightings transaction_revisions changes"),
    ("Whose they are", "user_credentials credentials credential_states"),
    ("Products", "user_assets assets accounts cards investments liabilities portfolios balances holders identities "
                 "real_accounts successions entities entity_refresh"),
    ("How it stands", "sync_status mirror_problems data_quality banks monthly_cash_flow"),
    ("What was read", "sync_runs product_runs coverage product_coverage verifications quarantine unknown_fields "
                      "removal_reviews removal_candidates error_classes"),
)
# What no foreign key says: the daemon keeps it right itself, so that a COPY of a million rows looks nothing up.
KNOWN_RELATIONSHIPS = (
    ("transactions", "credential_id", "credentials", "credential_id"),
    ("accounts", "credential_id", "credentials", "credential_id"),
    ("accounts", "real_account_id", "real_accounts", "real_account_id"),
    ("cards", "credential_id", "credentials", "credential_id"),
    ("cards", "real_account_id", "real_accounts", "real_account_id"),
    ("investments", "credential_id", "credentials", "credential_id"),
    ("investments", "real_account_id", "real_accounts", "real_account_id"),
    ("liabilities", "credential_id", "credentials", "credential_id"),
    ("liabilities", "real_account_id", "real_accounts", "real_account_id"),
    ("portfolios", "credential_id", "credentials", "credential_id"),
    ("portfolios", "real_account_id", "real_accounts", "real_account_id"),
    ("holders", "credential_id", "credentials", "credential_id"),
    ("identities", "credential_id", "credentials", "credential_id"),
    ("balances", "credential_id", "credentials", "credential_id"),
    ("sync_runs", "credential_id", "credentials", "credential_id"),
    ("product_runs", "credential_id", "credentials", "credential_id"),
    ("quarantine", "credential_id", "credentials", "credential_id"),
    ("verifications", "credential_id", "credentials", "credential_id"),
)
# The columns in the picture; the rest is in the tables below it.
PICTURE = {
    "user_credentials": "user_id credential_id",
    "credentials": "credential_id bank state",
    "transactions": "_id credential_id product account_id operation_date amount currency removed_at",
    "transaction_revisions": "revision_id _id replaced_at reason content",
    "transaction_sightings": "credential_id _id",
    "accounts": "credential_id account_id iban balance real_account_id",
    "real_accounts": "real_account_id product iban",
    "successions": "succession_id real_account_id from_credential_id to_credential_id state",
    "entities": "entity_id name",
    "coverage": "credential_id product days",
    "sync_runs": "sync_run_id credential_id product outcome",
    "quarantine": "quarantine_id credential_id reason raw",
    "removal_reviews": "sync_run_id credential_id state",
    "removal_candidates": "sync_run_id _id",
}
LINES = (  # from the one to the many, and what the many are
    ("credentials", "user_credentials", "belongs to"),
    ("credentials", "transactions", "shows"),
    ("credentials", "accounts", "shows"),
    ("accounts", "transactions", "has"),
    ("real_accounts", "accounts", "is shown as"),
    ("real_accounts", "successions", "passed by"),
    ("entities", "credentials", "is the bank of"),
    ("transactions", "transaction_revisions", "was"),
    ("transactions", "transaction_sightings", "is shown too by"),
    ("credentials", "coverage", "is read on days"),
    ("credentials", "sync_runs", "is read by"),
    ("credentials", "quarantine", "showed"),
    ("credentials", "removal_reviews", "no longer shows"),
    ("removal_reviews", "removal_candidates", "is about"),
)


def catalog(conninfo):
    done = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", *(["-d", conninfo] if conninfo else []), "-c", CATALOG],
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: the database cannot be described\n{done.stderr.strip()}\nhint: flanks-sync migrate up makes the tables")
    found = json.loads(done.stdout)
    relations = {r["name"]: r for r in found["relations"] or []}
    if not relations:
        sys.exit("error: there is nothing in schema flanks\nhint: flanks-sync migrate up makes the tables")
    return relations, found["functions"]


def chapters(relations):
    placed = [(title, [n for n in names.split() if n in relations]) for title, names in CHAPTERS]
    others = sorted(set(relations) - {n for _, names in placed for n in names})
    return placed + ([("Others", others)] if others else [])


def keys(relation, kind):
    return [c["columns"] for c in relation["constraints"] if c["kind"] == kind]


def relationships(relation):
    """(column, table, column) of this relation: foreign keys of one column, and what we know besides."""
    found = [(c["columns"][0], c["to"], c["to_columns"][0]) for c in relation["constraints"]
             if c["kind"] == "f" and c["to"] and len(c["columns"]) == 1]
    found += [(column, to, other) for name, column, to, other in KNOWN_RELATIONSHIPS if name == relation["name"]]
    return sorted(set(found))


def accepted_values(relation):
    """column -> the values that a check allows it."""
    found = {}
    for c in relation["constraints"]:
        if c["kind"] == "c" and len(c["columns"]) == 1:
            listed = re.fullmatch(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", c["text"])
            if listed:
                found[listed[1]] = [v.replace("''", "'") for v in re.findall(r"'((?:[^']|'')*)'::text", listed[2])]
    return found


# ---------------------------------------------------------------------------------------------------- docs/tables.md

def cell(text):
    return (text or "").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def picture(relations):
    lines = ["```mermaid", "erDiagram"]
    for one, many, words in LINES:
        lines.append(f'    {one} ||--o{{ {many} : "{words}"')
    for name, shown in PICTURE.items():
        relation = relations[name]
        columns = {c["name"]: c for c in relation["columns"]}
        primary = {c for key in keys(relation, "p") for c in key}
        foreign = {c for c, _, _ in relationships(relation)}
        lines.append(f"    {name} {{")
        for column in shown.split():
            marks = ", ".join(m for m, has in (("PK", column in primary), ("FK", column in foreign)) if has)
            kind = re.sub(r"\W+", "_", columns[column]["type"].replace("timestamp with time zone", "timestamptz"))
            lines.append(f"        {kind} {column}{' ' + marks if marks else ''}")
        lines.append("    }")
    return lines + ["```"]


def describe(relation):
    lines = [f"### {relation['name']}", "", f"{'View. ' if relation['kind'] == 'view' else ''}{relation['comment']}", ""]
    primary = keys(relation, "p")
    if primary:
        lines += [f"Key: {', '.join(f'`{c}`' for c in primary[0])}." + "".join(
            f" Unique: {', '.join(f'`{c}`' for c in key)}." for key in keys(relation, "u")), ""]
    links = {column: (to, other) for column, to, other in relationships(relation)}
    allowed = accepted_values(relation)
    lines += ["| column | type | | what it is |", "|---|---|---|---|"]
    for c in relation["columns"]:
        notes = "not null" if c["not_null"] else ""
        text = cell(c["comment"])
        if c["name"] in links:
            to, other = links[c["name"]]
            text += f" → [{to}](#{to}).{other}"
        if c["name"] in allowed:
            text += " Values: " + ", ".join(f"`{v}`" for v in allowed[c["name"]]) + "."
        lines.append(f"| `{c['name']}` | {c['type'].replace('timestamp with time zone', 'timestamptz')} | {notes} | {text} |")
    if relation["indexes"]:
        lines += ["", "Indexes: " + " ".join(f"`{i['text']}`: {i['comment']}" for i in relation["indexes"])]
    return lines + [""]


def tables(relations, functions):
    lines = ["<!-- Made by contrib/docs/describe.py from the comments in the database; do not edit. -->", "# The tables", "",
             "Everything for readers is in schema `flanks`. Each text here is the comment of the table or column (`\\d+` in psql).",
             "Money is `numeric` with the provider's digits; days are `date`, in no time zone. Sum up `transactions_distinct`.", ""]
    lines += picture(relations)
    lines += ["", "The other products (`cards`, `investments`, `liabilities`, `portfolios`) stand where `accounts` stands.", ""]
    for title, names in chapters(relations):
        lines.append(f"- {title}: " + ", ".join(f"[{n}](#{n})" for n in names))
    lines += ["- [Functions](#functions)", ""]
    for title, names in chapters(relations):
        lines += [f"## {title}", ""]
        for name in names:
            lines += describe(relations[name])
    lines += ["## Functions", ""]
    for f in functions:
        lines += [f"### {f['name']}", "", f"`flanks.{f['name']}({f['arguments']})` returns `{f['returns']}`", "", f["comment"], ""]
    return "\n".join(lines).rstrip() + "\n"


# ------------------------------------------------------------------------------------- contrib/dbt/models/sources.yml

def quoted(text):
    # dbt reads descriptions as Jinja.
    return json.dumps((text or "").replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #"), ensure_ascii=False)


def sources(relations, _):
    lines = ["# Made by contrib/docs/describe.py from the comments and constraints in the database; do not edit.",
             "version: 2", "", "sources:", "  - name: flanks", "    schema: flanks", "    description: " + quoted(
                 "The mirror of Flanks, kept by flanks-sync."), "    tables:"]
    for name in sorted(relations):
        relation = relations[name]
        lines += [f"      - name: {name}", f"        description: {quoted(relation['comment'])}"]
        unique = keys(relation, "p") + keys(relation, "u")
        several = [key for key in unique if len(key) > 1]
        if several:
            lines.append("        data_tests:")
            for key in several:
                lines += ["          - unique_together:", "              arguments:", f"                columns: [{', '.join(key)}]"]
        alone = {key[0] for key in unique if len(key) == 1}
        links = {}
        for column, to, other in relationships(relation):
            links.setdefault(column, []).append((to, other))
        allowed = accepted_values(relation)
        lines.append("        columns:")
        for c in relation["columns"]:
            lines += [f"          - name: {c['name']}", f"            description: {quoted(c['comment'])}",
                      f"            data_type: {c['type']}"]
            tests = (["              - not_null"] if c["not_null"] else []) + (["              - unique"] if c["name"] in alone else [])
            for to, other in links.get(c["name"], ()):
                tests += ["              - relationships:", "                  arguments:",
                          f"                    to: source('flanks', '{to}')", f"                    field: {other}"]
            if c["name"] in allowed:
                tests += ["              - accepted_values:", "                  arguments:",
                          f"                    values: [{', '.join(quoted(v) for v in allowed[c['name']])}]"]
            if tests:
                lines += ["            data_tests:", *tests]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in ("tables", "sources"):
        sys.exit(__doc__)
    print({"tables": tables, "sources": sources}[sys.argv[1]](*catalog(sys.argv[2] if len(sys.argv) == 3 else "")), end="")


if __name__ == "__main__":
    main()
