# The exit codes that scripts and systemd rely on, and where a command says what.
bats_require_minimum_version 1.5.0

with() {  # NAME.yaml COMMAND...
  local config=$FLANKS_WORLD/$1
  shift
  FLANKS_CONFIG=$config run --separate-stderr "$@"
}

exits() { [ "$status" -eq "$1" ] || { echo "exit $status, not $1: $output $stderr"; return 1; }; }
says() { [[ $stderr == *"$1"* ]] || { echo "not said: $1 in: $stderr"; return 1; }; }

@test "0: done, results on standard output, nothing on standard error" {
  run --separate-stderr flanks-sync status
  exits 0
  [ -n "$output" ] && [ -z "$stderr" ]
}

@test "1: what was named does not exist" {
  run --separate-stderr flanks-sync credentials show 77
  exits 1
  says "error: credential 77 is not registered"
  says "hint: flanks-sync credentials list shows what is"
  [ -z "$output" ]
}

@test "1: output that nobody can receive" {
  run --separate-stderr bash -c 'flanks-sync config example > /dev/full'
  exits 1
  says "error: cannot write to standard output: No space left on device"
  run --separate-stderr bash -c 'flanks-sync --help > /dev/full'
  exits 1
}

@test "141: a reader that has what it wanted is no error" {
  for words in "config example" "--help" "credentials list"; do
    run --separate-stderr bash -c 'flanks-sync $0 | true; exit ${PIPESTATUS[0]}' "$words"
    [ "$status" -eq 141 ] || [ "$status" -eq 0 ] || { echo "$words: $status"; return 1; }
    [ -z "$stderr" ] || { echo "$words: $stderr"; return 1; }
  done
}

@test "64: what is empty was meant to be something" {
  for words in "backfill --from" "verify --to" "status --log-level" "support --output" "credentials discover --default-user" \
      "credentials rotate 1 --token-file" "credentials import"; do
    run --separate-stderr flanks-sync $words ""
    exits 64
    says "empty"
  done
}

@test "3: a credential has a problem" {
  sql "update flanks.credentials set state = 'error', last_error = 'x', last_error_class = 'http_5xx' where credential_id = 1"
  run --separate-stderr flanks-sync status --exit-code
  exits 3
  run --separate-stderr flanks-sync status
  exits 0
  sql "update flanks.credentials set state = 'new', last_error = null, last_error_class = null where credential_id = 1"
}

@test "64: usage, with what was meant" {
  run --separate-stderr flanks-sync stauts
  exits 64
  [ "${stderr_lines[0]}" = 'error: "stauts" is no command' ]
  [ "${stderr_lines[1]}" = 'hint: did you mean status? flanks-sync --help lists the commands' ]
  [ -z "$output" ]
  run --separate-stderr flanks-sync backfill --too 2026-01-01
  exits 64
  says "hint: did you mean --to?"
  run --separate-stderr flanks-sync erase --user "$(sql "select min(user_id) from flanks.user_credentials")" < /dev/null
  exits 64
  says "hint: add --yes"
}

@test "69: the database is not there" {
  with nowhere.yaml flanks-sync status
  exits 69
  says 'database "nowhere" does not exist'
}

@test "75: another worker holds the lease" {
  sql "update flanks_internal.leases set lease_id = gen_random_uuid(), expires_at = now() + interval '1 hour' where credential_id = 2"
  run --separate-stderr flanks-sync sync --credential 2
  exits 75
  sql "update flanks_internal.leases set lease_id = null, expires_at = null where credential_id = 2"
}

@test "77: the role may not" {
  with nobody.yaml flanks-sync status
  exits 77
  says "hint: "
}

@test "78: every mistake of the configuration, with its place" {
  with mistakes.yaml flanks-sync config check
  exits 78
  [[ ${stderr_lines[0]} == "error: the configuration has "*" mistakes:" ]]
  says "mistakes.yaml:2:3: flanks.client_idd: unknown key"
  says "mistakes.yaml:4:13: sync.interval: "
  [ -z "$output" ]
}

# A backfill that waits for a provider that says nothing, until SIGNAL reaches it.
interrupted_by() {
  FLANKS_CONFIG=$FLANKS_WORLD/mute.yaml flanks-sync backfill --credential 1 2>"$BATS_TEST_TMPDIR/log" 3>&- &
  local backfill=$!
  timeout 60 bash -c 'until grep -q "ing a backfill" "$1"; do kill -0 "$2"; sleep 0.1; done' - "$BATS_TEST_TMPDIR/log" $backfill
  kill -s "$1" $backfill
  local code=0
  wait $backfill || code=$?
  cat "$BATS_TEST_TMPDIR/log" >&2
  return $code
}

@test "130 and 143: interrupted, and safe to run again" {
  run --separate-stderr interrupted_by INT
  exits 130
  says "hint: run the same backfill again"
  run --separate-stderr interrupted_by TERM
  exits 143
  says "hint: run the same backfill again"
}
