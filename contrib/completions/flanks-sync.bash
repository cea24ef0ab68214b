# Written by docs/usage.py. Completion of flanks-sync in bash.

_flanks_sync() {
  local cur=${COMP_WORDS[COMP_CWORD]} word at= kind= i
  local -A commands=(
    ["."]="run backfill sync status verify credentials link erase prune removals successions migrate doctor config support"
    ["credentials"]="add import list show pause resume remove rotate discover"
    ["link"]="exchange sessions"
    ["removals"]="list confirm reject"
    ["successions"]="list show confirm reject"
    ["migrate"]="up status plan"
    ["config"]="check show example"
  )
  local -A options=(
    ["."]="--config --log-level --json --version --help"
    ["run"]="--once --migrate"
    ["backfill"]="--user --credential --product --from --to --restart --dry-run --migrate"
    ["sync"]="--user --credential --product"
    ["status"]="--problems --user --bank --watch --exit-code"
    ["verify"]="--user --credential --product --from --to --repair"
    ["credentials add"]="--user --token-file --even-if-erased"
    ["credentials list"]="--user"
    ["credentials pause"]="--reason"
    ["credentials remove"]="--upstream"
    ["credentials rotate"]="--token-file"
    ["credentials discover"]="--dry-run --default-user"
    ["link exchange"]="--user-from --default-user"
    ["link sessions"]="--dry-run --default-user"
    ["erase"]="--user --yes"
    ["prune"]="--dry-run"
    ["removals list"]="--all"
    ["successions list"]="--all"
    ["support"]="--output"
  )
  local -A arguments=(
    ["credentials import"]="FILE"
    ["credentials show"]="N"
    ["credentials pause"]="N"
    ["credentials resume"]="N"
    ["credentials remove"]="N"
    ["credentials rotate"]="N"
    ["removals confirm"]="RUN"
    ["removals reject"]="RUN"
    ["successions show"]="N"
    ["successions confirm"]="N"
    ["successions reject"]="N"
  )
  local -A takes=(
    ["--bank"]="B"
    ["--config"]="FILE"
    ["--credential"]="N"
    ["--default-user"]="U"
    ["--from"]="D"
    ["--log-level"]="LEVEL"
    ["--output"]="FILE"
    ["--product"]="P"
    ["--reason"]="TEXT"
    ["--to"]="D"
    ["--token-file"]="FILE"
    ["--user"]="U"
    ["--user-from"]="NAME"
    ["--watch"]="SECONDS"
  )
  local -A words=(
    ["LEVEL"]="trace debug info warn error"
    ["P"]="account card investment liability"
  )
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      continue
    elif [[ -n $kind ]]; then
      kind=
      [[ $word == -* && $word != - ]] || continue
    fi
    if [[ $word == -* ]]; then
      kind=${takes[$word]-}
    elif [[ " ${commands[${at:-.}]-} " == *" $word "* ]]; then
      at+=${at:+ }$word
    fi
  done
  [[ $cur == = ]] && cur=
  if [[ -z $kind && $cur != -* ]]; then
    kind=${arguments[${at:-.}]-}
  elif [[ -n $kind && $cur == -* ]]; then
    kind=
  fi
  case $kind in
    FILE) mapfile -t COMPREPLY < <(compgen -f -- "$cur") && compopt -o filenames 2>/dev/null ;;
    "")
      if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${options[${at:-.}]-} ${options[.]}" -- "$cur")
      else
        mapfile -t COMPREPLY < <(compgen -W "${commands[${at:-.}]-}" -- "$cur")
      fi
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "${words[$kind]-}" -- "$cur") ;;
  esac
  return 0
}
complete -F _flanks_sync flanks-sync
