// The write path: N >= 1 windows in one database transaction, all by the same code. What came is
// compared with what is stored, and what differs is written; rows, revisions, removals, quarantine,
// coverage, run records and fingerprints are in the transaction, or nothing is (promise P3).
//
// N > 1 is for windows that need no more than that new and changed rows are written. One that needs
// more (its lease is locked by somebody, a row is missing or stored elsewhere, ...) is left
// undone, and any error concerns all: then each is done with N = 1.
//
// Blocks; inside an open transaction, which the caller begins and commits. Throws sql_problem, and
// with N = 1 failure for a lost lease, counts that do not add up, and unconfirmed_answer().
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "db/pg/connection.hpp"
#include "db/windows/window.hpp"

namespace flanks {

struct window_in_batch;

class window_batch {
 public:
  // No two of one credential. The requests outlive it.
  window_batch(pg_connection& db, std::span<window_request* const> requests);
  ~window_batch();
  window_batch(const window_batch&) = delete;
  window_batch& operator=(const window_batch&) = delete;

  // Holds the leases and loads what the answers are compared with.
  void open();
  // Compares and writes what the requests' answers hold. Again and again for a streamed one.
  void write();
  // Decides about rows that are missing, and puts everything on record. The requests that took part
  // are done once the transaction is committed.
  void finish();

 private:
  using windows = std::vector<std::unique_ptr<window_in_batch>>;

  [[nodiscard]] bool alone() const { return requests_.size() == 1; }
  void hold_leases();
  void load();
  void compare();
  void leave_those_that_need_more();
  void apply();
  void resolve();
  bool insert();
  void update();
  void note_sightings();
  void write_quarantine();
  void remove_absent(window_in_batch& w);
  void record();

  pg_connection& db_;
  std::vector<window_request*> requests_;
  windows windows_;  // those that take part
  std::chrono::steady_clock::duration spent_{0};
};

// All of it for windows whose answers are whole.
void apply(pg_connection& db, std::span<window_request* const> requests);

// Of those that came to their end in a transaction whose COMMIT nobody heard the answer of, marks
// as done the ones that were committed.
void find_committed(pg_connection& db, std::span<window_request* const> requests);

}  // namespace flanks
