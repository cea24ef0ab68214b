#include "daemon/metrics/work.hpp"

#include <array>
#include <span>
#include <string_view>

namespace flanks {

namespace {

constexpr std::array outcomes{outcome::ok,
                              outcome::partial,
                              outcome::failed,
                              outcome::suspicious,
                              outcome::unchanged_upstream,
                              outcome::not_available};
constexpr std::array triggers{trigger::schedule, trigger::sweep, trigger::backfill, trigger::manual,
                              trigger::repair};

struct row_kind {
  const char* name;
  std::int64_t row_counts::*count;
};
constexpr std::array<row_kind, 7> row_kinds{{{"fetched", &row_counts::fetched},
                                             {"inserted", &row_counts::inserted},
                                             {"updated", &row_counts::updated},
                                             {"unchanged", &row_counts::unchanged},
                                             {"removed", &row_counts::removed},
                                             {"quarantined", &row_counts::quarantined},
                                             {"duplicates", &row_counts::duplicates}}};
constexpr std::array<row_kind, 3> operations{{{"insert", &row_counts::inserted},
                                              {"update", &row_counts::updated},
                                              {"remove", &row_counts::removed}}};

void add_by(counter_family& family, const char* label, const std::string& value,
            const char* kind_label, std::span<const row_kind> kinds, const row_counts& counts) {
  for (const row_kind& k : kinds)
    family.Add({{label, value}, {kind_label, k.name}})
        .Increment(static_cast<double>(counts.*k.count));
}

// From the beginning at zero, so that the first increase is seen as one.
void add_product(const std::string& name, counter_family& ended, counter_family& rows) {
  for (const outcome o : outcomes)
    ended.Add({{"product", name}, {"outcome", std::string(to_string(o))}});
  add_by(rows, "product", name, "kind", row_kinds, {});
}

void add_table(const std::string& table, const row_counts& counts, counter_family& written) {
  add_by(written, "table", table, "operation", operations, counts);
}

}  // namespace

work_metrics::work_metrics()
    : runs_(counters_in(registry_, "flanks_runs_total",
                        "Windows of transactions and lists of products that ended in this process, "
                        "by trigger and outcome, as in flanks.sync_runs and flanks.product_runs.")),
      windows_(counters_in(registry_, "flanks_windows_total",
                           "Windows of transactions that ended in this process, by product and "
                           "outcome, as in flanks.sync_runs; product \"none\": it ended before any "
                           "product.")),
      rows_(counters_in(registry_, "flanks_rows_total",
                        "Transactions in those windows, by product and by what became of them: "
                        "fetched is the sum of inserted, updated, unchanged, quarantined and "
                        "duplicates.")),
      lists_(
          counters_in(registry_, "flanks_product_lists_total",
                      "Lists of products (accounts, holders, ...) that ended in this process, by "
                      "product and outcome, as in flanks.product_runs.")),
      list_rows_(counters_in(registry_, "flanks_product_list_rows_total",
                             "Records of those lists, by product and by what became of them.")),
      written_(counters_in(registry_, "flanks_rows_written_total",
                           "Rows that this process wrote, by table of the schema flanks and "
                           "operation. remove: the row stays and is marked as removed.")),
      unrecorded_(
          counters_in(registry_, "flanks_unrecorded_failures_total",
                      "How often this process could not write down what had happened to a "
                      "credential: a right, a trigger or row security of the database is in "
                      "the way. The log says which.")
              .Add({})) {
  for (const trigger t : triggers) {
    for (const outcome o : outcomes)
      runs_.Add({{"trigger", std::string(to_string(t))}, {"outcome", std::string(to_string(o))}});
  }
  for (const product p : all_products)
    add_product(std::string(to_string(p)), windows_, rows_);
  add_table("transactions", {}, written_);
  for (const product_kind k : all_product_kinds) {
    add_product(std::string(to_string(k)), lists_, list_rows_);
    add_table(std::string(table_of(k)), {}, written_);
  }
}

void work_metrics::count(const run_record& r) {
  const std::string name = r.what ? std::string(to_string(*r.what)) : "none";
  const std::string how(to_string(r.outcome));
  runs_.Add({{"trigger", std::string(to_string(r.why))}, {"outcome", how}}).Increment();
  windows_.Add({{"product", name}, {"outcome", how}}).Increment();
  add_by(rows_, "product", name, "kind", row_kinds, r.counts);
  add_table("transactions", r.counts, written_);
  if (r.outcome == outcome::failed) ++failures_[r.error_class];
}

void work_metrics::count(const product_run& r) {
  const std::string name(to_string(r.what)), how(to_string(r.outcome));
  runs_.Add({{"trigger", std::string(to_string(r.why))}, {"outcome", how}}).Increment();
  lists_.Add({{"product", name}, {"outcome", how}}).Increment();
  add_by(list_rows_, "product", name, "kind", row_kinds, r.counts);
  add_table(std::string(table_of(r.what)), r.counts, written_);
  if (r.outcome == outcome::failed) ++failures_[r.error_class];
}

// prometheus-cpp does not name a family that has no number yet; this one has none as long as all
// is well.
void work_metrics::collect(families& to) const {
  collect_into(to, registry_);
  told_family failures("flanks_failures_total",
                       "Windows and lists that failed in this process, by error_class.",
                       prometheus::MetricType::Counter);
  for (const auto& [error_class, count] : failures_)
    failures.add(static_cast<double>(count), {{"error_class", error_class}});
  failures.into(to);
}

}  // namespace flanks
