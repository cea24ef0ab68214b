// The table of events, and the catalog that is made from it.
#include "daemon/event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace flanks {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

TEST(event, every_kind_has_an_id_of_its_own_a_message_and_what_to_do) {
  std::set<std::string_view> ids, messages;
  for (const event_info& e : all_events()) {
    EXPECT_THAT(std::string(e.id), ContainsRegex("^[0-9a-f]{32}$")) << e.message;
    EXPECT_FALSE(e.message.empty());
    EXPECT_FALSE(e.what_to_do.empty()) << e.message;
    ids.insert(e.id);
    messages.insert(e.message);
  }
  EXPECT_EQ(ids.size(), all_events().size());
  EXPECT_EQ(messages.size(), all_events().size());
  EXPECT_EQ(info_of(event::wrong_passwords).id, all_events().back().id) << "none is missing";
}

// Who searches a journal of last year for one must find it.
TEST(event, ids_do_not_change) {
  EXPECT_EQ(info_of(event::run_failed).id, "e69c82b65a984e5299485f1fae4d5f54");
  EXPECT_EQ(info_of(event::window_stored).id, "a2253a91a22b448a81a92e969138d1a7");
}

TEST(event, a_message_names_what_it_is_about) {
  const log_message bank(event::backing_off, "bank sandbox_2");
  EXPECT_EQ(bank.text(), "bank sandbox_2 fails for every credential; backing off");
  EXPECT_EQ(bank.id(), info_of(event::backing_off).id);
  EXPECT_EQ(log_message(event::started, "1.2.3").text(), "flanks-sync 1.2.3 runs");
  EXPECT_EQ(log_message(event::ended).text(), "flanks-sync ends");
  EXPECT_EQ(log_message("not fetched").id(), "") << "what is only logged at debug";
}

TEST(event, the_catalog_has_an_entry_for_each_that_a_terminal_shows) {
  const std::string catalog = journal_catalog();
  std::istringstream lines(catalog);
  std::size_t entries = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("-- ")) ++entries;
    if (!line.starts_with("Subject: ") && !line.starts_with("#")) {
      EXPECT_LE(line.size(), 78U) << line;
    }
  }
  EXPECT_EQ(entries, all_events().size());
  EXPECT_THAT(catalog, HasSubstr("\n-- e69c82b65a984e5299485f1fae4d5f54\nSubject: run failed\n"
                                 "Defined-By: flanks-sync\n\nNothing of this run was stored."));
}

}  // namespace
}  // namespace flanks
