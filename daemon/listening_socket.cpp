#include "daemon/listening_socket.hpp"

#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>
#include <system_error>

namespace flanks {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::local::stream_protocol;
using error_code = boost::system::error_code;
using protocol = listening_socket::protocol;
using acceptor_type = listening_socket::acceptor_type;

[[noreturn]] void refuse(int error) {
  throw std::system_error(error, std::generic_category());
}

void check(const error_code& error) {
  if (error) refuse(error.value());
}

// What a process left behind when it was killed. A file that somebody listens at stays.
void remove_dead_socket(const asio::any_io_executor& executor, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) refuse(EEXIST);
  stream_protocol::socket probe(executor);
  error_code error;
  probe.connect(stream_protocol::endpoint(path), error);
  if (error != asio::error::connection_refused) refuse(EADDRINUSE);
  ::unlink(path.c_str());
}

tcp::endpoint endpoint_of(const std::string& listen) {
  const auto colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  check(error);
  return {address, static_cast<std::uint16_t>(std::stoi(listen.substr(colon + 1)))};
}

void bind(acceptor_type& a, const protocol::endpoint& at) {
  error_code error;
  a.bind(at, error);
  check(error);
  a.listen(acceptor_type::max_listen_connections, error);
  check(error);
}

std::string name_of(const acceptor_type& a) {
  const protocol::endpoint bound = a.local_endpoint();
  tcp::endpoint at;
  at.resize(bound.size());
  std::memcpy(at.data(), bound.data(), bound.size());
  const std::string host = at.address().to_string();
  return (at.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(at.port());
}

}  // namespace

listening_socket::listening_socket(const asio::any_io_executor& executor, const std::string& listen)
    : acceptor_(executor), where_(listen) {
  if (listen.starts_with("unix:")) {
    bind_file(listen.substr(5));
  } else {
    bind_address(listen);
  }
}

void listening_socket::bind_file(const std::string& path) {
  remove_dead_socket(acceptor_.get_executor(), path);
  error_code error;
  acceptor_.open(stream_protocol(), error);
  check(error);
  bind(acceptor_, stream_protocol::endpoint(path));
  // Whoever shall look is put into the daemon's group.
  ::chmod(path.c_str(), 0660);
  file made{path, {}};
  ::lstat(path.c_str(), &made.own);
  file_ = made;
}

void listening_socket::bind_address(const std::string& listen) {
  const tcp::endpoint at = endpoint_of(listen);
  error_code error;
  acceptor_.open(at.protocol(), error);
  check(error);
  acceptor_.set_option(acceptor_type::reuse_address(true), error);
  check(error);
  bind(acceptor_, at);
  where_ = name_of(acceptor_);
}

void listening_socket::close() {
  error_code ignored;
  acceptor_.close(ignored);
  if (!file_) return;
  struct stat now {};
  const bool ours = ::lstat(file_->path.c_str(), &now) == 0 && now.st_dev == file_->own.st_dev &&
                    now.st_ino == file_->own.st_ino;
  if (ours) ::unlink(file_->path.c_str());
  file_.reset();
}

}  // namespace flanks
