// The bodies of Asio, compiled once for every room (BOOST_ASIO_SEPARATE_COMPILATION). Its TLS half
// and Beast live in sync/flanks/boost_impl.cpp, so that only what speaks TLS links OpenSSL.
#include <boost/asio/impl/src.hpp>
