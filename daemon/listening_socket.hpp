// A socket that listens, of either family: TCP or a file. It knows addresses, not what is said.
#pragma once

#include <sys/stat.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <optional>
#include <string>

namespace flanks {

class listening_socket {
 public:
  using protocol = boost::asio::generic::stream_protocol;
  using acceptor_type = boost::asio::basic_socket_acceptor<protocol>;

  // Listens at once: "address:port" (an IPv6 address in brackets; port 0: any free one), or
  // "unix:/path", where a file that nobody listens at any more is replaced. Throws
  // std::system_error.
  listening_socket(const boost::asio::any_io_executor& executor, const std::string& listen);
  ~listening_socket() { close(); }
  listening_socket(const listening_socket&) = delete;
  listening_socket& operator=(const listening_socket&) = delete;

  [[nodiscard]] acceptor_type& acceptor() { return acceptor_; }
  // As it was asked for, with the port that was found.
  [[nodiscard]] const std::string& where() const { return where_; }
  // Takes nothing more, and removes the file unless another one has taken its place.
  void close();

 private:
  struct file {
    std::string path;
    struct stat own {};
  };

  void bind_file(const std::string& path);
  void bind_address(const std::string& listen);

  acceptor_type acceptor_;
  std::string where_;
  std::optional<file> file_;
};

}  // namespace flanks
