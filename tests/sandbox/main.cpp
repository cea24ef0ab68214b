// flanks-sandbox: a stand-in for the Flanks API, for tests and for trying flanks-sync offline.
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "tests/sandbox/certs.hpp"
#include "tests/sandbox/control.hpp"
#include "tests/sandbox/listener.hpp"
#include "tests/sandbox/provider.hpp"

namespace sandbox {
namespace {

struct command_line {
  std::string listen = "127.0.0.1:0";
  listen_options network;
  world_options world;
  provider_options provider;
  std::string products = "account,card,investment,liability";
  std::string today;
  std::int64_t token_lifetime = 3600;
  unsigned latency = 0;
  std::size_t remember = 0;
  bool no_oddities = false;
  std::string log;
  std::string make_certs;
  std::string host = "localhost";
};

void declare(CLI::App& app, command_line& to) {
  app.add_option("--listen", to.listen, "ADDRESS:PORT; port 0 takes any free one")
      ->capture_default_str();
  app.add_option("--port-file", to.network.port_file, "write the port here once listening");
  auto* cert = app.add_option("--tls-cert", to.network.certificate_file, "PEM chain; else http");
  auto* key = app.add_option("--tls-key", to.network.key_file, "PEM private key");
  cert->needs(key);
  key->needs(cert);
  app.add_option("--seed", to.world.seed, "the same seed makes the same data")
      ->capture_default_str();
  app.add_option("--credentials", to.world.credentials)->capture_default_str();
  app.add_option("--transactions", to.world.transactions, "of one credential, all products")
      ->capture_default_str();
  app.add_option("--products", to.products, "comma-separated")->capture_default_str();
  app.add_option("--months", to.world.months, "of history")->capture_default_str();
  app.add_option("--today", to.today, "YYYY-MM-DD; default: the UTC day");
  app.add_option("--token-lifetime", to.token_lifetime, "seconds")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--client-id", to.provider.client_id)->capture_default_str();
  app.add_option("--client-secret", to.provider.client_secret)->capture_default_str();
  app.add_option("--grant-type", to.provider.grant_type)
      ->check(CLI::IsMember({"client_credentials", "password"}))
      ->capture_default_str();
  app.add_option("--username", to.provider.username, "with the grant password");
  app.add_option("--password", to.provider.password, "with the grant password");
  app.add_option("--latency", to.latency, "milliseconds before every answer");
  app.add_option("--remember", to.remember, "MiB of answers to keep, so that they are made once");
  app.add_flag("--no-oddities", to.no_oddities, "only plain records");
  app.add_flag("--joint", to.world.joint, "some credentials share an account");
  app.add_option("--log", to.log, "one JSON line a request; no secrets");
  app.add_option("--make-certs", to.make_certs, "write certificates for tests here, and exit");
  app.add_option("--host", to.host, "one more host name for --make-certs")->capture_default_str();
}

// What CLI11 cannot check alone.
void complete(command_line& given) {
  const auto colon = given.listen.rfind(':');
  unsigned port = 65536;
  if (colon != std::string::npos) {
    const char* end = given.listen.data() + given.listen.size();
    const auto read = std::from_chars(given.listen.data() + colon + 1, end, port);
    if (read.ec != std::errc{} || read.ptr != end) port = 65536;
  }
  if (port > 65535) throw CLI::ValidationError("--listen", "not ADDRESS:PORT: " + given.listen);
  given.network.address = given.listen.substr(0, colon);
  given.network.port = static_cast<std::uint16_t>(port);
  given.world.products.clear();
  for (const auto& name : CLI::detail::split(given.products, ',')) {
    const auto p = product_from(name);
    if (!p) throw CLI::ValidationError("--products", "unknown product: " + name);
    given.world.products.push_back(*p);
  }
  given.world.today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  if (!given.today.empty()) {
    const auto today = read_day(given.today);
    if (!today) throw CLI::ValidationError("--today", "not YYYY-MM-DD: " + given.today);
    given.world.today = *today;
  }
  given.provider.remember = given.remember << 20;
  given.world.oddities = !given.no_oddities;
  given.provider.token_lifetime = std::chrono::seconds(given.token_lifetime);
}

// The whole sandbox: control under /_sandbox/, the provider everywhere else.
class application final : public service {
 public:
  explicit application(const command_line& given)
      : world_(given.world),
        provider_(world_, faults_, counters_, given.provider),
        control_(world_, faults_, counters_, provider_),
        latency_(given.latency) {
    if (!given.log.empty()) log_.open(given.log, std::ios::app);
    if (!given.log.empty() && !log_) throw std::runtime_error("cannot write " + given.log);
  }

  reply answer(const request& asked) override {
    if (asked.path.starts_with(control::prefix)) return control_.answer(asked);
    reply out = answer_as_provider(asked);
    out.wire.delay += latency_;
    return out;
  }
  void connected() override { counters_.connected(); }
  void disconnected() override { counters_.disconnected(); }
  void resumed() override { counters_.resumed(); }

  void answered(const request& asked, const reply& sent, std::uint64_t bytes, bool whole) override {
    if (!log_.is_open()) return;
    std::string line = "{\"method\":";
    append_quoted(line, asked.method);
    line += ",\"path\":";
    append_quoted(line, asked.path);
    line += ",\"traceparent\":";
    append_quoted(line, asked.traceparent);
    const auto arrived = std::chrono::floor<std::chrono::microseconds>(asked.arrived);
    line += ",\"arrived_us\":" + std::to_string(arrived.time_since_epoch().count());
    line += ",\"status\":" + std::to_string(sent.status);
    line += ",\"bytes\":" + std::to_string(bytes);
    line += whole ? ",\"whole\":true}\n" : ",\"whole\":false}\n";
    log_ << line << std::flush;
  }

 private:
  // A mistake of the sandbox must not look like silence.
  reply answer_as_provider(const request& asked) {
    try {
      return provider_.answer(asked);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "error: %s %s: %s\n", asked.method.c_str(), asked.path.c_str(),
                   error.what());
      return text_reply(500, R"({"error": "Internal Error"})");
    }
  }

  world world_;
  faults faults_;
  counters counters_;
  provider provider_;
  control control_;
  std::chrono::milliseconds latency_;
  std::ofstream log_;
};

int run(int argc, char** argv) {
  CLI::App app{"A stateful stand-in for the Flanks API, deterministic from a seed."};
  command_line given;
  declare(app, given);
  try {
    app.parse(argc, argv);
    complete(given);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 64;
  }
  if (!given.make_certs.empty()) {
    make_certificates(given.make_certs, given.host);
    return 0;
  }
  application all{given};
  serve(given.network, all);
  return 0;
}

}  // namespace
}  // namespace sandbox

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // Every piece of an answer would be memory that the kernel has to make anew.
  mallopt(M_MMAP_THRESHOLD, 8 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 32 * 1024 * 1024);
#endif
  try {
    return sandbox::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: flanks-sandbox: %s\n", error.what());
    return 1;
  }
}
