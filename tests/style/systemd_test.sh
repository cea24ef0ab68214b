#!/usr/bin/env bash
# The installed units: systemd understands every line, the sandbox is as tight as promised (exposure
# 1.1 or better, with the drop-in of allowed addresses too), and installing keeps a configuration that is there.
#   systemd_test.sh BUILD_DIR
# Exit 77: no systemd-analyze here.
set -euo pipefail

build=${1:?usage: systemd_test.sh BUILD_DIR}
command -v systemd-analyze >/dev/null || { echo "skipped: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
  echo "FAIL: $*" >&2
  failed=1
}

install() {
  (cd "$build/systemd" && DESTDIR=$work/root cmake -DCMAKE_INSTALL_PREFIX=/usr/local -P cmake_install.cmake)
}

install >"$work/log" || { cat "$work/log"; exit 1; }
root=$work/root
for file in usr/local/lib/systemd/system/flanks-sync.service usr/local/lib/sysusers.d/flanks-sync.conf \
  usr/local/lib/systemd/system/flanks-sync-backfill@.service etc/flanks-sync/config.yaml \
  usr/local/share/doc/flanks-sync/config.yaml usr/local/lib/tmpfiles.d/flanks-sync.conf \
  usr/local/lib/systemd/catalog/flanks-sync.catalog; do
  [ -s "$root/$file" ] || fail "cmake --install did not install /$file"
done
echo "# mine" >"$root/etc/flanks-sync/config.yaml"
install >"$work/log"
[ "$(cat "$root/etc/flanks-sync/config.yaml")" = "# mine" ] || fail "cmake --install overwrote /etc/flanks-sync/config.yaml"

# The binary is not installed here; systemd wants to see one.
cp "$root"/usr/local/lib/systemd/system/*.service "$work"
if grep -n '@[A-Z_]*@' "$work"/*.service; then fail "a variable was left in a unit"; fi
sed -i "s#[^ =]*/bin/flanks-sync #/bin/true #" "$work"/*.service
# systemd 252 only warns of an unknown or malformed line: anything it says is a failure.
for unit in flanks-sync.service flanks-sync-backfill@all.service flanks-sync-backfill@user-17.service; do
  said=$(systemd-analyze verify --man=no "$work/$unit" 2>&1) || fail "systemd-analyze verify $unit"
  [ -z "$said" ] || fail "systemd-analyze verify $unit says: $said"
done
for unit in flanks-sync.service flanks-sync-backfill@.service; do
  systemd-analyze security --no-pager --offline=true --threshold=11 "$work/$unit" >"$work/security" 2>&1 ||
    fail "$unit: $(grep 'Overall' "$work/security" || cat "$work/security") (promised: 1.1 or better)"
  grep 'Overall' "$work/security" || true
done

for unit in flanks-sync.service flanks-sync-backfill@.service; do
  mkdir -p "$work/$unit.d"
  cp "$root/usr/local/share/doc/flanks-sync/ip-allow.conf" "$work/$unit.d/"
done
said=$(systemd-analyze verify --man=no "$work/flanks-sync.service" "$work/flanks-sync-backfill@all.service" 2>&1) ||
  fail "systemd-analyze verify with ip-allow.conf"
[ -z "$said" ] || fail "systemd-analyze verify with ip-allow.conf says: $said"

# A restart loop on exit 64 or 78 would hammer a bank with a wrong configuration.
grep -qx 'RestartPreventExitStatus=64 78' "$work/flanks-sync.service" || fail "exit 64 and 78 must not restart"

# The shell line of the backfill: exactly these arguments, whatever the user is called.
line=$(sed -n "/^ExecStart=/,/'\$/p" "$work/flanks-sync-backfill@.service")
script=$(printf '%s\n' "$line" | sed -e "1s/.*'\\\\\$//" -e "s/'\$//" -e 's/\\$//' -e 's/\$\$/$/g' \
  -e 's#/bin/true#printf "<%s>"#')
for user in all 'user-17' 'a user' '-x; rm' '$(id)'; do
  got=$(FLANKS_BACKFILL_OF=$user /bin/sh -c "$script")
  want="<--config></etc/flanks-sync/config.yaml><backfill>"
  [ "$user" = all ] || want="$want<--user=$user>"
  [ "$got" = "$want" ] || fail "backfill of '$user' runs with $got"
done

# Every event of the table is in the catalog, and systemd understands all of them.
said=$(journalctl --update-catalog --root="$root" 2>&1) || fail "journalctl --update-catalog: $said"
[ -z "$said" ] || fail "journalctl --update-catalog says: $said"
ids=$(sed -n 's/^-- //p' "$root/usr/local/lib/systemd/catalog/flanks-sync.catalog")
[ "$(wc -w <<<"$ids")" -gt 40 ] || fail "the catalog has too few events: $ids"
for id in $ids; do
  journalctl --root="$root" --dump-catalog "$id" 2>&1 | grep -q "^Subject: ." || fail "the catalog has no $id"
done

said=$(systemd-sysusers --root="$root" --dry-run "$root/usr/local/lib/sysusers.d/flanks-sync.conf" 2>&1) ||
  fail "systemd-sysusers: $said"
case $said in *"flanks-sync"*) ;; *) fail "systemd-sysusers makes no user: $said" ;; esac
exit $failed
