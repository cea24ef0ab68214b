// credentials import: all credentials of a CSV file, or every mistake in it.
#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/credentials.hpp"
#include "daemon/csv.hpp"
#include "daemon/terminal.hpp"
#include "sync/blank.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

// What is wrong with a file, each with its place: such a file registers nobody.
class mistakes {
 public:
  explicit mistakes(std::string file) : file_(file == "-" ? "standard input" : std::move(file)) {}

  void add(text_place at, std::string_view what) {
    if (++count_ > most) return;
    all_ +=
        fmt::format("{}{}:{}:{}: {}", all_.empty() ? "" : "\n", file_, at.line, at.column, what);
  }
  void throw_if_any() const {
    if (count_ == 0) return;
    throw refusal(exit_code::failed,
                  count_ > most ? fmt::format("{}\nand {} more", all_, count_ - most) : all_,
                  "nothing was imported; mend the file and run it again");
  }

 private:
  static constexpr std::int64_t most = 20;
  std::string file_, all_;
  std::int64_t count_ = 0;
};

struct import_file {
  std::vector<registration_request> wanted;
  std::vector<csv::record> records;  // what each of them was read from
};

import_file read_import(const std::string& text, mistakes& wrong) {
  import_file file;
  for (const text_flaw& f : text_flaws(text))
    wrong.add(f.at, f.what);
  wrong.throw_if_any();
  csv::document document = csv::parse(text);
  const std::vector<std::string> header{"user_id", "credentials_token"};
  if (document.records.empty() || document.records[0].fields != header)
    wrong.add({1, 1}, "the first line must be: user_id,credentials_token");
  for (std::size_t i = 1; i < document.records.size(); ++i) {
    csv::record& r = document.records[i];
    if (r.fields.size() != 2) {
      wrong.add({r.line, 1},
                fmt::format("{} where 2 belong",
                            counted(static_cast<std::int64_t>(r.fields.size()), "field")));
      continue;
    }
    // The database judges the rest; these are so common that they are told with the others.
    if (is_blank(r.fields[0])) wrong.add(r.places[0], "user_id is empty or blank");
    if (r.fields[1].empty()) wrong.add(r.places[1], "credentials_token is empty");
    file.wanted.push_back({user_id{r.fields[0]}, secret(r.fields[1])});
    file.records.push_back(std::move(r));
  }
  if (document.broken_line)
    wrong.add({*document.broken_line, 1}, "a quoted field does not end, or text follows its end");
  wrong.throw_if_any();
  return file;
}

}  // namespace

exit_code import_credentials(registry& r, const invocation& asked) {
  mistakes wrong(asked.file);
  const import_file file = read_import(read_all(asked.file, "name the CSV file in it"), wrong);
  std::int64_t registered = 0, erased = 0;
  std::size_t at = 0;
  for (const registration::outcome& o : r.add(file.wanted)) {
    const csv::record& from = file.records[at++];
    if (o.now == standing::refused)
      wrong.add(from.places[o.refusal.starts_with("user_id") ? 0 : 1], o.refusal);
    ++(o.now == standing::erased ? erased : registered);
  }
  wrong.throw_if_any();
  const exit_code code = erased > 0 ? exit_code::some_failed : exit_code::done;
  if (asked.json) {
    terminal::print_json(
        json::serialize(json::object{{"registered", registered}, {"erased", erased}}));
    return code;
  }
  terminal::print("{} {} registered; those that were before stay as they are\n",
                  counted(registered, "credential"), plural(registered, "is", "are"));
  if (erased > 0) {
    terminal::print(stderr,
                    "{} erased with {} and not taken again\n"
                    "hint: flanks-sync credentials add --even-if-erased brings one back\n",
                    counted(erased, "credential was", "credentials were"),
                    plural(erased, "its user", "their users"));
  }
  return code;
}

}  // namespace flanks
