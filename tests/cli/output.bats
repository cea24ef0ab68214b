# What is printed: help, versions, JSON, colours, files.
bats_require_minimum_version 1.5.0

@test "--help goes to standard output, examples first" {
  run --separate-stderr flanks-sync backfill --help
  [ "$status" -eq 0 ] && [ -z "$stderr" ]
  [ "${lines[1]}" = "Examples:" ]
  [ "${lines[2]}" = "  flanks-sync backfill" ]
}

@test "-h and --version" {
  run -0 flanks-sync -h
  [[ $output == *"Commands:"* ]]
  run -0 flanks-sync --version
  [[ $output =~ ^flanks-sync\ [0-9.]+$ ]]
}

@test "--json is one document of one line, wherever it stands" {
  run --separate-stderr -0 flanks-sync status --json
  [ "${#lines[@]}" -eq 1 ]
  printf '%s' "$output" | python3 -m json.tool > /dev/null
  run -0 flanks-sync --json status
  [[ $output == '[{"credential_id":'* ]]
}

@test "nothing is coloured in a pipe" {
  run -0 flanks-sync status
  [[ $output != *$'\033'* ]]
}

@test "an empty result is said to people and is empty for scripts" {
  run -0 flanks-sync removals list
  [ "$output" = "nothing to decide" ]
  run -0 flanks-sync --json removals list
  [ "$output" = "[]" ]
}

@test "errors are two lines: error and hint" {
  for line in "credentials show 77" "successions show 7" "removals confirm 00000000-0000-0000-0000-000000000000" "status --bank nowhere" "status --user nobody"; do
    run --separate-stderr flanks-sync $line
    [ "$status" -eq 1 ] || { echo "$line: $status"; return 1; }
    [[ ${stderr_lines[0]} == "error: "* && ${stderr_lines[1]} == "hint: "* && ${#stderr_lines[@]} -eq 2 ]] || { echo "$line: $stderr"; return 1; }
  done
}

@test "support writes a file that nobody else may read, once" {
  cd "$BATS_TEST_TMPDIR"
  run --separate-stderr -0 flanks-sync support
  [ -z "$output" ]
  file=$(ls flanks-sync-support-*.txt)
  [ "$(stat -c %a "$file")" = 600 ]
  [ "$stderr" = "written to $file; read it before you send it" ]
  run --separate-stderr -1 flanks-sync support --output "$file"
  [[ $stderr == "error: cannot write $file: File exists"* ]]
}
