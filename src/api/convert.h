// Between the public vocabulary (include/godwit) and the implementation's. Used by api/ alone.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "crypto/keypair.h"
#include "godwit/endpoint.h"
#include "godwit/node.h"
#include "transport/config.h"
#include "transport/event.h"
#include "transport/statistics.h"

namespace godwit::v1 {

[[nodiscard]] std::unexpected<Error> to_public(const ::godwit::Error& error);
template <typename T>
[[nodiscard]] Result<T> to_public(::godwit::Result<T> result) {
  if (!result) return to_public(result.error());
  if constexpr (!std::is_void_v<T>) {
    return std::move(*result);
  } else {
    return {};
  }
}
[[nodiscard]] Statistics to_public(const ConnectionStatistics& statistics);
[[nodiscard]] EndpointStatistics to_public(const ::godwit::EndpointStatistics& statistics);
// Views in the result point where the event's do.
[[nodiscard]] Event to_public(::godwit::ConnectionId connection, const ::godwit::Event& event);

[[nodiscard]] Result<Config> to_config(const Options& options);
[[nodiscard]] Result<KeyPair> to_key_pair(const SecretKey& key);
[[nodiscard]] Result<PublicKey> to_public_key(std::string_view hex);
// "ADDR:PORT".
[[nodiscard]] Result<SocketAddress> to_socket_address(std::string_view text);
[[nodiscard]] SocketAddress to_socket_address(const Address& address);
[[nodiscard]] Address to_address(const SocketAddress& address);

}  // namespace godwit::v1
