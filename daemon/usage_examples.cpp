// What people type most, a few lines for each command. A test reads each of them as a command line.
#include <array>

#include "daemon/usage.hpp"

namespace flanks::usage {

namespace {

struct page {
  std::string_view path;
  std::array<example, 4> examples;
};

constexpr std::array pages{
    page{"flanks-sync",
         {{{"flanks-sync config check", "Is the configuration right?"},
           {"flanks-sync backfill", "Read all history now, with a bar; it may be interrupted."},
           {"flanks-sync status", "What is wrong, who must act, what happens next."},
           {"flanks-sync run", "Keep the mirror current, as the service does."}}}},
    page{"flanks-sync run",
         {{{"flanks-sync run", "The daemon, until SIGTERM; SIGHUP reads the configuration again."},
           {"flanks-sync run --once", "One cycle over what is due, from cron."}}}},
    page{"flanks-sync backfill",
         {{{"flanks-sync backfill", "All history of all credentials."},
           {"flanks-sync backfill --user user-17 --from 2026-01-01", "One user, this year."},
           {"flanks-sync backfill --product card --dry-run", "How much it would be."},
           {"flanks-sync --json backfill > result.json", "The result for a script."}}}},
    page{"flanks-sync sync",
         {{{"flanks-sync sync --credential 17", "That credential, now."},
           {"flanks-sync sync --user user-17", "All of that user's."}}}},
    page{"flanks-sync status",
         {{{"flanks-sync status --problems", "Only what somebody must look at."},
           {"flanks-sync status --user user-17", "How that user's credentials are."},
           {"flanks-sync status --bank testbank --watch 5",
            "One bank, read again every 5 seconds, until Ctrl-C."},
           {"flanks-sync status --exit-code > /dev/null", "Exit 3 when there is a problem."}}}},
    page{"flanks-sync verify",
         {{{"flanks-sync verify --credential 17", "Compare everything of one credential."},
           {"flanks-sync verify --from 2026-10-01 --to 2026-10-31", "October, of all."},
           {"flanks-sync verify --user user-17 --repair", "Put right what differs."}}}},
    page{"flanks-sync credentials",
         {{{"flanks-sync credentials list", "All of them."},
           {"flanks-sync credentials add --user user-17 < token", "One more."}}}},
    page{"flanks-sync credentials add",
         {{{"flanks-sync credentials add --user user-17 < token", "The token from a file."},
           {"flanks-sync credentials add --user user-17 --token-file token",
            "The same, by the file's name."}}}},
    page{"flanks-sync credentials import",
         {{{"flanks-sync credentials import users.csv",
            "All of a file, or none when it has a mistake."},
           {"flanks-sync credentials import - < users.csv", "The same from standard input."}}}},
    page{"flanks-sync credentials list",
         {{{"flanks-sync credentials list --user user-17", "Those of one user."}}}},
    page{"flanks-sync credentials show",
         {{{"flanks-sync credentials show 17", "State, coverage and the last error of one."}}}},
    page{"flanks-sync credentials pause",
         {{{"flanks-sync credentials pause 17 --reason 'the user asked'",
            "Not fetched any more, and why."}}}},
    page{"flanks-sync credentials resume",
         {{{"flanks-sync credentials resume 17 18", "Two of them, due now."}}}},
    page{"flanks-sync credentials remove",
         {{{"flanks-sync credentials remove 17", "Here only."},
           {"flanks-sync credentials remove --upstream 17", "At the provider, then here."}}}},
    page{"flanks-sync credentials rotate",
         {{{"flanks-sync credentials rotate 17 < token", "The new token from a file."}}}},
    page{"flanks-sync credentials discover",
         {{{"flanks-sync credentials discover --dry-run", "What would be registered."},
           {"flanks-sync credentials discover --default-user nobody",
            "Also those that come without a user."}}}},
    page{"flanks-sync link",
         {{{"flanks-sync link exchange", "The unused codes of links."},
           {"flanks-sync link sessions", "The finished sessions of Connect v2."}}}},
    page{"flanks-sync link exchange",
         {{{"flanks-sync link exchange --user-from customer",
            "The links name the user in the parameter customer."}}}},
    page{"flanks-sync link sessions",
         {{{"flanks-sync link sessions --dry-run", "What would be registered."}}}},
    page{"flanks-sync erase",
         {{{"flanks-sync erase --user user-17", "Shows what would go, and asks."},
           {"flanks-sync --json erase --user user-17 --yes", "Without asking, for a script."}}}},
    page{"flanks-sync prune", {{{"flanks-sync prune --dry-run", "What would be deleted."}}}},
    page{"flanks-sync removals", {{{"flanks-sync removals list", "What waits for a decision."}}}},
    page{"flanks-sync removals list",
         {{{"flanks-sync removals list --all", "The decided ones too."}}}},
    page{"flanks-sync removals confirm",
         {{{"flanks-sync removals confirm 0b5f9a52-7c11-4f0e-9d55-3c1f6c6b4d10",
            "The rows of that run are gone."}}}},
    page{"flanks-sync removals reject",
         {{{"flanks-sync removals reject 0b5f9a52-7c11-4f0e-9d55-3c1f6c6b4d10",
            "The rows of that run stay."}}}},
    page{"flanks-sync successions",
         {{{"flanks-sync successions list", "What waits for a decision."}}}},
    page{"flanks-sync successions list",
         {{{"flanks-sync successions list --all", "The decided ones too."}}}},
    page{"flanks-sync successions show",
         {{{"flanks-sync successions show 3", "One, with its evidence."}}}},
    page{"flanks-sync successions confirm",
         {{{"flanks-sync successions confirm 3", "It is one account."}}}},
    page{"flanks-sync successions reject",
         {{{"flanks-sync successions reject 3", "They are two accounts."}}}},
    page{"flanks-sync migrate",
         {{{"flanks-sync migrate status", "What is applied and what is not."},
           {"flanks-sync migrate up", "Applies what is missing."}}}},
    page{"flanks-sync migrate up",
         {{{"flanks-sync migrate up", "By a role that owns the schema."}}}},
    page{"flanks-sync migrate status",
         {{{"flanks-sync migrate status", "Exit 78 when something is missing."}}}},
    page{"flanks-sync migrate plan",
         {{{"flanks-sync migrate plan > plan.sql",
            "For a DBA, who runs psql -v ON_ERROR_STOP=1 -f plan.sql."}}}},
    page{"flanks-sync doctor",
         {{{"flanks-sync doctor", "When nothing works: what is wrong first."},
           {"flanks-sync --json doctor", "The same for a script."}}}},
    page{"flanks-sync config",
         {{{"flanks-sync config check", "Every mistake at once."},
           {"flanks-sync config example > config.yaml", "A file to begin with."}}}},
    page{"flanks-sync config check",
         {{{"flanks-sync --config new.yaml config check", "A file that is not in place yet."}}}},
    page{"flanks-sync config show",
         {{{"flanks-sync config show", "With the defaults of what is not given."}}}},
    page{"flanks-sync config example",
         {{{"flanks-sync config example > config.yaml", "A file to begin with."}}}},
    page{"flanks-sync support",
         {{{"flanks-sync support",
            "Writes flanks-sync-support-TIME.txt here; read it before you send it."},
           {"flanks-sync support --output - | less", "Only shows it."}}}},
};

}  // namespace

std::span<const example> examples_of(std::string_view path) {
  for (const page& p : pages) {
    if (p.path != path) continue;
    std::size_t count = 0;
    while (count < p.examples.size() && !p.examples[count].line.empty())
      ++count;
    return std::span(p.examples).first(count);
  }
  return {};
}

}  // namespace flanks::usage
