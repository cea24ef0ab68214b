# Written by docs/usage.py. Completion of flanks-sync in fish.

# The command that the words before the cursor name: "credentials add"; empty: none yet.
function __flanks_sync_place
    set -l known 'run' 'backfill' 'sync' 'status' 'verify' 'credentials' 'credentials add' 'credentials import' 'credentials list' 'credentials show' 'credentials pause' 'credentials resume' 'credentials remove' 'credentials rotate' 'credentials discover' 'link' 'link exchange' 'link sessions' 'erase' 'prune' 'removals' 'removals list' 'removals confirm' 'removals reject' 'successions' 'successions list' 'successions show' 'successions confirm' 'successions reject' 'migrate' 'migrate up' 'migrate status' 'migrate plan' 'doctor' 'config' 'config check' 'config show' 'config example' 'support'
    set -l taking --bank --config --credential --default-user --from --log-level --output --product --reason --to --token-file --user --user-from --watch
    set -l at
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            string match -q -- '-?*' $word; or continue
        end
        if string match -q -- '-*' $word
            contains -- $word $taking; and set skip 1
        else if contains -- (string join ' ' $at $word) $known
            set -a at $word
        end
    end
    string join ' ' $at
end
function __flanks_sync_at
    test (__flanks_sync_place | string collect --allow-empty) = "$argv"
end

complete -c flanks-sync -f
complete -c flanks-sync -n '__flanks_sync_at ' -a run -d 'The daemon: mirrors every credential on its schedule'
complete -c flanks-sync -n '__flanks_sync_at ' -a backfill -d 'Reads all history; run it again to go on where it stopped'
complete -c flanks-sync -n '__flanks_sync_at ' -a sync -d 'Mirrors some credentials now, due or not'
complete -c flanks-sync -n '__flanks_sync_at ' -a status -d 'One line per credential, problems first'
complete -c flanks-sync -n '__flanks_sync_at ' -a verify -d 'Re-reads what is covered and compares it with the database, value by value; exit 3 when they differ'
complete -c flanks-sync -n '__flanks_sync_at ' -a credentials -d 'How credentials arrive and leave'
complete -c flanks-sync -n '__flanks_sync_at ' -a link -d 'Credentials that users connected by a link of Flanks'
complete -c flanks-sync -n '__flanks_sync_at ' -a erase -d 'Removes a person\'s data for good, from every table'
complete -c flanks-sync -n '__flanks_sync_at ' -a prune -d 'Deletes what is older than retention.* keeps, as the daemon does daily'
complete -c flanks-sync -n '__flanks_sync_at ' -a removals -d 'Rows that vanished at once and wait for a person'
complete -c flanks-sync -n '__flanks_sync_at ' -a successions -d 'Real accounts that pass from one credential to another'
complete -c flanks-sync -n '__flanks_sync_at ' -a migrate -d 'The database schema'
complete -c flanks-sync -n '__flanks_sync_at ' -a doctor -d 'Config, DNS, TLS, token, database, rights, schema, clocks, disk: what is wrong and what to do'
complete -c flanks-sync -n '__flanks_sync_at ' -a config -d 'The configuration file'
complete -c flanks-sync -n '__flanks_sync_at ' -a support -d 'Writes what whoever helps you needs into one text file: versions, configuration, states, failures; no secret, no user, no account'
complete -c flanks-sync -l config -r -F -d 'Configuration file (default: /etc/flanks-sync/config.yaml)'
complete -c flanks-sync -l log-level -x -a 'trace debug info warn error' -d 'trace, debug, info, warn or error, in place of log.level'
complete -c flanks-sync -l json -d 'Machine-readable output on standard output'
complete -c flanks-sync -l version -d 'Print the version'
complete -c flanks-sync -l help -d 'Print help, of a command when one is named'
complete -c flanks-sync -n '__flanks_sync_at run' -l once -d 'One full cycle over what is due, then exit'
complete -c flanks-sync -n '__flanks_sync_at run' -l migrate -d 'Bring the database schema up to date first'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l user -x -d 'Credentials of this user (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l credential -x -d 'This credential (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l product -x -a 'account card investment liability' -d 'account, card, investment or liability (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l from -x -d 'First operation date (default: sync.history_months ago)'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l to -x -d 'Last operation date (default: today)'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l restart -d 'Drop an unfinished backfill and begin anew'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l dry-run -d 'Say what would be fetched, write nothing'
complete -c flanks-sync -n '__flanks_sync_at backfill' -l migrate -d 'Bring the database schema up to date first'
complete -c flanks-sync -n '__flanks_sync_at sync' -l user -x -d 'Credentials of this user (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at sync' -l credential -x -d 'This credential (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at sync' -l product -x -a 'account card investment liability' -d 'account, card, investment or liability (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at status' -l problems -d 'Only credentials that somebody must look at'
complete -c flanks-sync -n '__flanks_sync_at status' -l user -x -d 'Credentials of this user (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at status' -l bank -x -d 'Credentials at this bank (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at status' -l watch -d 'Read it again every so many seconds (default 2), on a terminal, until Ctrl-C'
complete -c flanks-sync -n '__flanks_sync_at status' -l exit-code -d 'Exit 3 when a credential has a problem'
complete -c flanks-sync -n '__flanks_sync_at verify' -l user -x -d 'Credentials of this user (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at verify' -l credential -x -d 'This credential (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at verify' -l product -x -a 'account card investment liability' -d 'account, card, investment or liability (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at verify' -l from -x -d 'First operation date (default: every day that flanks.coverage names)'
complete -c flanks-sync -n '__flanks_sync_at verify' -l to -x -d 'Last operation date (default: today)'
complete -c flanks-sync -n '__flanks_sync_at verify' -l repair -d 'Put right what differs, and compare again; exit 0 when nothing is left'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a add -d 'Registers one credential; its token is read from standard input'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a import -d 'Registers credentials from CSV: user_id,credentials_token'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a list -d 'Every credential, without its token'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a show -d 'One credential: state, coverage, last runs'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a pause -d 'Not fetched until resumed; its rows stay'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a resume -d 'Fetched again, from now on'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a remove -d 'Forgets the token; the rows stay'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a rotate -d 'It has another token now, read from standard input'
complete -c flanks-sync -n '__flanks_sync_at credentials' -a discover -d 'Registers what the provider lists; external_id becomes the user'
complete -c flanks-sync -n '__flanks_sync_at credentials add' -l user -x -d 'The user whom it belongs to'
complete -c flanks-sync -n '__flanks_sync_at credentials add' -l token-file -r -F -d 'Read the credentials_token from this file instead'
complete -c flanks-sync -n '__flanks_sync_at credentials add' -l even-if-erased -d 'Also when it was erased with its user before'
complete -c flanks-sync -n '__flanks_sync_at credentials import' -F
complete -c flanks-sync -n '__flanks_sync_at credentials list' -l user -x -d 'Credentials of this user (repeatable)'
complete -c flanks-sync -n '__flanks_sync_at credentials pause' -l reason -x -d 'Why, for whoever reads the status'
complete -c flanks-sync -n '__flanks_sync_at credentials remove' -l upstream -d 'Delete it at the provider as well, first'
complete -c flanks-sync -n '__flanks_sync_at credentials rotate' -l token-file -r -F -d 'Read the new credentials_token from this file instead'
complete -c flanks-sync -n '__flanks_sync_at credentials discover' -l dry-run -d 'Say what would be registered, write nothing'
complete -c flanks-sync -n '__flanks_sync_at credentials discover' -l default-user -x -d 'The user of those that come without one (else they are not registered)'
complete -c flanks-sync -n '__flanks_sync_at link' -a exchange -d 'Exchanges every unused link code, once, and registers its credential'
complete -c flanks-sync -n '__flanks_sync_at link' -a sessions -d 'Registers the credentials of finished Connect v2 sessions'
complete -c flanks-sync -n '__flanks_sync_at link exchange' -l user-from -x -d 'The parameter of the link that names the user (default external_id)'
complete -c flanks-sync -n '__flanks_sync_at link exchange' -l default-user -x -d 'The user of those that come without one (else they are not registered)'
complete -c flanks-sync -n '__flanks_sync_at link sessions' -l dry-run -d 'Say what would be registered, write nothing'
complete -c flanks-sync -n '__flanks_sync_at link sessions' -l default-user -x -d 'The user of those that come without one (else they are not registered)'
complete -c flanks-sync -n '__flanks_sync_at erase' -l user -x -d 'Whose data'
complete -c flanks-sync -n '__flanks_sync_at erase' -l yes -d 'Do not ask'
complete -c flanks-sync -n '__flanks_sync_at prune' -l dry-run -d 'Say what would be deleted, delete nothing'
complete -c flanks-sync -n '__flanks_sync_at removals' -a list -d 'What a person must decide about'
complete -c flanks-sync -n '__flanks_sync_at removals' -a confirm -d 'They are gone: marks as removed what has not come back since'
complete -c flanks-sync -n '__flanks_sync_at removals' -a reject -d 'They are not gone: the rows stay, and do not raise this again'
complete -c flanks-sync -n '__flanks_sync_at removals list' -l all -d 'The decided ones too'
complete -c flanks-sync -n '__flanks_sync_at successions' -a list -d 'What a person must decide about'
complete -c flanks-sync -n '__flanks_sync_at successions' -a show -d 'One, with its evidence'
complete -c flanks-sync -n '__flanks_sync_at successions' -a confirm -d 'It is one account: the new credential speaks for its days'
complete -c flanks-sync -n '__flanks_sync_at successions' -a reject -d 'They are two: both stay, and this is not raised again'
complete -c flanks-sync -n '__flanks_sync_at successions list' -l all -d 'The decided ones too'
complete -c flanks-sync -n '__flanks_sync_at migrate' -a up -d 'Applies what is missing'
complete -c flanks-sync -n '__flanks_sync_at migrate' -a status -d 'What is applied and what is not'
complete -c flanks-sync -n '__flanks_sync_at migrate' -a plan -d 'Prints the SQL that is missing, for a DBA to run'
complete -c flanks-sync -n '__flanks_sync_at config' -a check -d 'Every mistake at once, with its place'
complete -c flanks-sync -n '__flanks_sync_at config' -a show -d 'The effective configuration, without secrets'
complete -c flanks-sync -n '__flanks_sync_at config' -a example -d 'A documented example of every key'
complete -c flanks-sync -n '__flanks_sync_at support' -l output -r -F -d 'The file to write; - is standard output (default: flanks-sync-support-TIME.txt here)'
