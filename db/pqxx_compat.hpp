// Every difference between libpqxx 6.4 (Debian 12) and 7.x (Debian 13, Ubuntu 24.04) that we meet,
// and nothing else. Both are handed a connection that libpq opened: so we keep its PGconn for COPY,
// and no password is put into a string.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace flanks::pqxx_compat {

using values = std::vector<std::optional<std::string>>;

#if PQXX_VERSION_MAJOR < 7

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

// Hands libpqxx the connection that exists and never makes another one.
class adopted_policy final : public pqxx::connectionpolicy {
 public:
  explicit adopted_policy(PGconn* open) : connectionpolicy(std::string{}), open_(open) {}
  handle do_startconnect(handle orig) override { return orig != nullptr ? orig : open_; }
  handle do_completeconnect(handle orig) override { return orig; }

 private:
  PGconn* open_;
};

class connection final : public pqxx::connection_base {
 public:
  // Takes ownership of `open`.
  explicit connection(PGconn* open) : connection_base(policy_), policy_(open) {
    init();
    inhibit_reactivation(true);  // a silent reconnect would lose the transaction and our locks
  }
  ~connection() { close(); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

 private:
  adopted_policy policy_;
};

inline std::unique_ptr<connection> adopt(PGconn* open) {
  return std::make_unique<connection>(open);
}

inline pqxx::result execute(pqxx::transaction_base& transaction, const std::string& sql,
                            const values& arguments) {
  if (arguments.empty()) return transaction.exec(sql);
  std::vector<const char*> texts;
  texts.reserve(arguments.size());
  for (const auto& value : arguments)
    texts.push_back(value ? value->c_str() : nullptr);
  return transaction.exec_params(sql, pqxx::prepare::make_dynamic_params(texts));
}

// At once, so that libpq finds it by its name too.
inline void prepare(connection& on, const std::string& name, const std::string& sql) {
  on.prepare(name, sql);
  on.prepare_now(name);
}

inline pqxx::result execute_prepared(pqxx::transaction_base& transaction, const std::string& name,
                                     const values& arguments) {
  std::vector<const char*> texts;
  texts.reserve(arguments.size());
  for (const auto& value : arguments)
    texts.push_back(value ? value->c_str() : nullptr);
  return transaction.exec_prepared(name, pqxx::prepare::make_dynamic_params(texts));
}

#pragma GCC diagnostic pop

#else

using connection = pqxx::connection;

inline std::unique_ptr<connection> adopt(PGconn* open) {
  return std::make_unique<connection>(pqxx::connection::seize_raw_connection(open));
}

inline pqxx::result execute(pqxx::transaction_base& transaction, const std::string& sql,
                            const values& arguments) {
  if (arguments.empty()) return transaction.exec(sql);
  pqxx::params packed;
  for (const auto& value : arguments)
    packed.append(value);
#if PQXX_VERSION_MINOR >= 10 || PQXX_VERSION_MAJOR > 7
  return transaction.exec(sql, packed);
#else
  return transaction.exec_params(sql, packed);
#endif
}

inline void prepare(connection& on, const std::string& name, const std::string& sql) {
  on.prepare(name, sql);
}

inline pqxx::result execute_prepared(pqxx::transaction_base& transaction, const std::string& name,
                                     const values& arguments) {
  pqxx::params packed;
  for (const auto& value : arguments)
    packed.append(value);
#if PQXX_VERSION_MINOR >= 10 || PQXX_VERSION_MAJOR > 7
  return transaction.exec(pqxx::prepped{name}, packed);
#else
  return transaction.exec_prepared(name, packed);
#endif
}

#endif

}  // namespace flanks::pqxx_compat
