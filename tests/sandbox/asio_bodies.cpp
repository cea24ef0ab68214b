// The bodies of Asio and Beast (BOOST_*_SEPARATE_COMPILATION), compiled once for the sandbox.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
