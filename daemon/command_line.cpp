#include "daemon/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "daemon/exit_code.hpp"
#include "daemon/given_text.hpp"
#include "daemon/terminal.hpp"
#include "daemon/usage.hpp"

namespace flanks {

namespace {

// Adds sub-commands; the one that was typed leaves its name in asked.what.
class grammar {
 public:
  grammar(CLI::App& app, given_text& given, invocation& asked)
      : app_(app), given_(given), asked_(asked) {
    global();
    running();
    credentials();
    links();
    leaving();
    removals();
    successions();
    operating();
  }

 private:
  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& text, command what) {
    CLI::App* const sub = parent->add_subcommand(name, text);
    sub->callback([this, what, full = parent == &app_ ? name : parent->get_name() + " " + name] {
      asked_.what = what;
      asked_.name = full;
    });
    return sub;
  }

  void global() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("--config", asked_.config,
                    "Configuration file (default: /etc/flanks-sync/config.yaml)")
        ->type_name("FILE");
    app_.add_option("--log-level", given_.level,
                    "trace, debug, info, warn or error, in place of log.level")
        ->type_name("LEVEL");
    app_.add_flag("--json", asked_.json, "Machine-readable output on standard output");
    app_.set_version_flag("--version", "flanks-sync " FLANKS_SYNC_VERSION, "Print the version");
    app_.set_help_flag("-h,--help", "Print help, of a command when one is named");
  }

  void of_user(CLI::App* sub) {
    sub->add_option("--user", given_.users, "Credentials of this user (repeatable)")
        ->type_name("U")
        ->allow_extra_args(false);
  }

  void choose(CLI::App* sub) {
    of_user(sub);
    sub->add_option("--credential", given_.credentials, "This credential (repeatable)")
        ->type_name("N")
        ->allow_extra_args(false);
    sub->add_option("--product", given_.products,
                    "account, card, investment or liability (repeatable)")
        ->type_name("P")
        ->allow_extra_args(false);
  }

  void running() {
    CLI::App* const run =
        add(&app_, "run", "The daemon: mirrors every credential on its schedule", command::run);
    run->add_flag("--once", asked_.once, "One full cycle over what is due, then exit");
    run->add_flag("--migrate", asked_.migrate, "Bring the database schema up to date first");

    CLI::App* const backfill =
        add(&app_, "backfill", "Reads all history; run it again to go on where it stopped",
            command::backfill);
    choose(backfill);
    backfill
        ->add_option("--from", given_.from,
                     "First operation date (default: sync.history_months ago)")
        ->type_name("D");
    backfill->add_option("--to", given_.to, "Last operation date (default: today)")->type_name("D");
    backfill->add_flag("--restart", asked_.restart, "Drop an unfinished backfill and begin anew");
    backfill->add_flag("--dry-run", asked_.dry_run, "Say what would be fetched, write nothing");
    backfill->add_flag("--migrate", asked_.migrate, "Bring the database schema up to date first");

    CLI::App* const sync =
        add(&app_, "sync", "Mirrors some credentials now, due or not", command::sync);
    choose(sync);

    CLI::App* const status =
        add(&app_, "status", "One line per credential, problems first", command::status);
    status->add_flag("--problems", asked_.problems, "Only credentials that somebody must look at");
    of_user(status);
    status->add_option("--bank", asked_.banks, "Credentials at this bank (repeatable)")
        ->type_name("B")
        ->allow_extra_args(false);
    const auto seconds = [this](const CLI::results_t& given) {
      given_.watch = given.empty() ? std::string() : given.back();
      return true;
    };
    status
        ->add_option("--watch", seconds,
                     "Read it again every so many seconds (default 2), on a terminal, until Ctrl-C")
        ->type_name("SECONDS")
        ->expected(0, 1);
    status->add_flag("--exit-code", asked_.exit_code, "Exit 3 when a credential has a problem");

    CLI::App* const verify =
        add(&app_, "verify",
            "Re-reads what is covered and compares it with the database, value by value; exit 3 "
            "when they differ",
            command::verify);
    choose(verify);
    verify
        ->add_option("--from", given_.from,
                     "First operation date (default: every day that flanks.coverage names)")
        ->type_name("D");
    verify->add_option("--to", given_.to, "Last operation date (default: today)")->type_name("D");
    verify->add_flag("--repair", asked_.repair,
                     "Put right what differs, and compare again; exit 0 when nothing is left");
  }

  void credentials() {
    CLI::App* const group = app_.add_subcommand("credentials", "How credentials arrive and leave");
    group->require_subcommand(1);
    CLI::App* const add_one =
        add(group, "add", "Registers one credential; its token is read from standard input",
            command::credentials_add);
    add_one->add_option("--user", asked_.user, "The user whom it belongs to")
        ->required()
        ->type_name("U");
    add_one
        ->add_option("--token-file", asked_.file,
                     "Read the credentials_token from this file instead")
        ->type_name("FILE");
    add_one->add_flag("--even-if-erased", asked_.even_if_erased,
                      "Also when it was erased with its user before");
    CLI::App* const import =
        add(group, "import", "Registers credentials from CSV: user_id,credentials_token",
            command::credentials_import);
    import->add_option("file", asked_.file, "CSV file with a header line; - is standard input")
        ->required()
        ->type_name("FILE");
    CLI::App* const list =
        add(group, "list", "Every credential, without its token", command::credentials_list);
    of_user(list);
    numbered(add(group, "show", "One credential: state, coverage, last runs",
                 command::credentials_show));
    CLI::App* const pause =
        add(group, "pause", "Not fetched until resumed; its rows stay", command::credentials_pause);
    numbered(pause);
    pause->add_option("--reason", asked_.reason, "Why, for whoever reads the status")
        ->type_name("TEXT");
    numbered(add(group, "resume", "Fetched again, from now on", command::credentials_resume));
    CLI::App* const remove =
        add(group, "remove", "Forgets the token; the rows stay", command::credentials_remove);
    numbered(remove);
    remove->add_flag("--upstream", asked_.upstream, "Delete it at the provider as well, first");
    CLI::App* const rotate =
        add(group, "rotate", "It has another token now, read from standard input",
            command::credentials_rotate);
    numbered(rotate);
    rotate
        ->add_option("--token-file", asked_.file,
                     "Read the new credentials_token from this file instead")
        ->type_name("FILE");
    CLI::App* const discover =
        add(group, "discover", "Registers what the provider lists; external_id becomes the user",
            command::credentials_discover);
    arriving(discover);
  }

  void arriving(CLI::App* sub) {
    sub->add_flag("--dry-run", asked_.dry_run, "Say what would be registered, write nothing");
    whose(sub);
  }

  void whose(CLI::App* sub) {
    sub->add_option("--default-user", asked_.default_user,
                    "The user of those that come without one (else they are not registered)")
        ->type_name("U");
  }

  void links() {
    CLI::App* const group =
        app_.add_subcommand("link", "Credentials that users connected by a link of Flanks");
    group->require_subcommand(1);
    CLI::App* const exchange = add(
        group, "exchange", "Exchanges every unused link code, once, and registers its credential",
        command::link_exchange);
    exchange
        ->add_option("--user-from", asked_.user_from,
                     "The parameter of the link that names the user (default external_id)")
        ->type_name("NAME");
    whose(exchange);
    arriving(add(group, "sessions", "Registers the credentials of finished Connect v2 sessions",
                 command::link_sessions));
  }

  void leaving() {
    CLI::App* const erase =
        add(&app_, "erase", "Removes a person's data for good, from every table", command::erase);
    erase->add_option("--user", asked_.user, "Whose data")->required()->type_name("U");
    erase->add_flag("--yes", asked_.yes, "Do not ask");
    CLI::App* const prune = add(
        &app_, "prune", "Deletes what is older than retention.* keeps, as the daemon does daily",
        command::prune);
    prune->add_flag("--dry-run", asked_.dry_run, "Say what would be deleted, delete nothing");
  }

  void numbered(CLI::App* sub) {
    sub->add_option("credential", given_.credentials, "credential_id, one or more")
        ->required()
        ->type_name("N");
  }

  void removals() {
    CLI::App* const group =
        app_.add_subcommand("removals", "Rows that vanished at once and wait for a person");
    group->require_subcommand(1);
    CLI::App* const list =
        add(group, "list", "What a person must decide about", command::removals_list);
    list->add_flag("--all", asked_.all, "The decided ones too");
    review(add(group, "confirm", "They are gone: marks as removed what has not come back since",
               command::removals_confirm));
    review(add(group, "reject", "They are not gone: the rows stay, and do not raise this again",
               command::removals_reject));
  }

  void review(CLI::App* sub) {
    sub->add_option("run", asked_.review, "The run that raised it, as removals list shows it")
        ->required()
        ->type_name("RUN");
  }

  void successions() {
    CLI::App* const group = app_.add_subcommand(
        "successions", "Real accounts that pass from one credential to another");
    group->require_subcommand(1);
    CLI::App* const list =
        add(group, "list", "What a person must decide about", command::successions_list);
    list->add_flag("--all", asked_.all, "The decided ones too");
    for (CLI::App* const sub :
         {add(group, "show", "One, with its evidence", command::successions_show),
          add(group, "confirm", "It is one account: the new credential speaks for its days",
              command::successions_confirm),
          add(group, "reject", "They are two: both stay, and this is not raised again",
              command::successions_reject)})
      sub->add_option("succession", given_.succession, "Its id, as successions list shows it")
          ->required()
          ->type_name("N");
  }

  void operating() {
    CLI::App* const migrate = app_.add_subcommand("migrate", "The database schema");
    migrate->require_subcommand(1);
    add(migrate, "up", "Applies what is missing", command::migrate_up);
    add(migrate, "status", "What is applied and what is not", command::migrate_status);
    add(migrate, "plan", "Prints the SQL that is missing, for a DBA to run", command::migrate_plan);
    add(&app_, "doctor",
        "Config, DNS, TLS, token, database, rights, schema, clocks, disk: what is wrong and what "
        "to do",
        command::doctor);
    CLI::App* const configuration = app_.add_subcommand("config", "The configuration file");
    configuration->require_subcommand(1);
    add(configuration, "check", "Every mistake at once, with its place", command::config_check);
    add(configuration, "show", "The effective configuration, without secrets",
        command::config_show);
    add(configuration, "example", "A documented example of every key", command::config_example);
    CLI::App* const support = add(
        &app_, "support",
        "Writes what whoever helps you needs into one text file: versions, configuration, states, "
        "failures; no secret, no user, no account",
        command::support);
    support
        ->add_option("--output", asked_.output,
                     "The file to write; - is standard output (default: "
                     "flanks-sync-support-TIME.txt here)")
        ->type_name("FILE");
  }

  CLI::App& app_;
  given_text& given_;
  invocation& asked_;
};

usage::option described(const CLI::Option& o) {
  const bool named = o.nonpositional();
  usage::option d;
  d.value = o.get_items_expected_max() == 0 ? "" : o.get_type_name();
  d.name = named ? "--" + o.get_lnames().front() : d.value;
  if (!named) d.value.clear();
  d.text = o.get_description();
  d.required = named && o.get_required();
  d.repeatable = o.get_expected_max() > 1;
  d.value_may_lack = !d.value.empty() && o.get_items_expected_min() == 0;
  return d;
}

usage::command described(const CLI::App& app, const std::string& above) {
  usage::command d;
  d.name = app.get_name();
  d.path = above + d.name;
  d.text = app.get_description();
  for (const CLI::Option* const o : app.get_options()) {
    const bool everywhere = !above.empty() && o == app.get_help_ptr();
    if (everywhere) continue;  // each has --help; it is told with those of the program
    (o->nonpositional() ? d.options : d.arguments).push_back(described(*o));
  }
  for (const CLI::App* const sub : app.get_subcommands(nullptr))
    d.commands.push_back(described(*sub, d.path + " "));
  return d;
}

// The command whose help was asked for: the innermost that was named.
const usage::command& named(const CLI::App& app, const usage::command& c) {
  for (const CLI::App* const sub : app.get_subcommands()) {
    for (const usage::command& below : c.commands) {
      if (below.name == sub->get_name()) return named(*sub, below);
    }
  }
  return c;
}

int say_usage(const usage::mistake& wrong) {
  terminal::print(stderr, "error: {}\nhint: {}\n", wrong.message, wrong.hint);
  return static_cast<int>(exit_code::usage);
}

int say_help(const CLI::App& app, const usage::command& program, bool as_json) {
  const usage::command& c = named(app, program);
  if (as_json) {
    terminal::print_json(usage::help_json(c));
  } else {
    const std::string text = usage::help(c, program);
    terminal::print("{}", terminal::lines{text});
  }
  return static_cast<int>(exit_code::done);
}

}  // namespace

parsed parse_command_line(int argc, char** argv) {
  parsed result;
  given_text given;
  CLI::App app("Mirrors a company's Flanks transactions into its own PostgreSQL.", "flanks-sync");
  const grammar added(app, given, result.asked);
  const usage::command program = described(app, "");
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto wrong = usage::first_mistake(program, words)) {
    result.exit = say_usage(*wrong);
    return result;
  }
  try {
    app.parse(argc, argv);
    read_values(given, result.asked);
  } catch (const CLI::CallForHelp&) {
    const bool as_json = std::find(words.begin(), words.end(), "--json") != words.end();
    result.exit = say_help(app, program, as_json);
  } catch (const CLI::Success& e) {
    result.exit = app.exit(e);  // the version, on standard output
  } catch (const refused_value& e) {
    result.exit = say_usage({e.what(), named(app, program).path + " --help shows how"});
  } catch (const CLI::Error&) {  // in words of its own, which repeat what was typed
    result.exit = say_usage(
        {"the command line cannot be understood", named(app, program).path + " --help shows how"});
  }
  return result;
}

}  // namespace flanks
