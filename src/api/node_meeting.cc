// One-time codes and ports that a router maps, of the public Node.

#include <utility>

#include "api/node_implementation.h"
#include "code/cpace.h"
#include "runtime/reachable_addresses.h"

namespace godwit::v1 {

Candidates Node::Implementation::own_addresses() const {
  Candidates own = reachable_addresses(node->local_address());
  if (mapped_) own.insert(own.begin(), *mapped_);
  return own;
}

Result<CodeExchange> Node::Implementation::make_exchange(std::string_view code, const PublicKey& rendezvous) {
  if (!cpace::available()) {
    return std::unexpected(
        Error{ErrorCode::kUnsupported, "this library was built without libsodium, and has no one-time codes"});
  }
  std::optional<OneTimeCode> typed;
  if (!code.empty()) {
    const auto parsed = OneTimeCode::parse(code);
    if (!parsed) return to_public(parsed.error());
    typed = *parsed;
  }
  return CodeExchange(node->random(), node->endpoint().public_key(), rendezvous, typed);
}

Result<void> Node::Implementation::connect_by_code(RendezvousPlace place, CodeExchange exchange, CodeNotice new_code,
                                                   std::function<void(Node&, Result<ConnectionId>)> then) {
  auto search = std::make_unique<PeerSearch>(
      node->endpoint(), PeerPlace{.key = {}, .addresses = {}, .rendezvous = {std::move(place)}}, own_addresses());
  search->meet_by_code(std::move(exchange));
  if (const Status started = search->start(node->now()); !started) return to_public(started.error());
  races_.push_back({.search = std::move(search), .then = std::move(then), .new_code = std::move(new_code)});
  node->wake();
  return {};
}

void Node::Implementation::listen_by_code(RendezvousPlace place, CodeExchange exchange, CodeNotice new_code,
                                          std::function<void(Node&, Result<std::string>)> then) {
  register_at(std::move(place), {});
  registration_->meet_by_code(std::move(exchange));
  new_code_ = std::move(new_code);
  code_then_ = std::move(then);
}

void Node::Implementation::tend_code() {
  CodeExchange& exchange = *registration_->exchange();
  if (const auto code = exchange.poll_code()) {
    if (const auto tell = std::exchange(new_code_, nullptr)) tell(*owner, *code);
  }
  if (!exchange.peer() && !exchange.failure()) return;
  const auto then = std::exchange(code_then_, nullptr);
  if (!then) return;
  if (exchange.peer()) {
    then(*owner, exchange.peer()->to_hex());
  } else {
    then(*owner, std::unexpected(to_public(*exchange.failure()).error()));
  }
}

Result<void> Node::Implementation::map_port(std::string_view way,
                                            std::function<void(Node&, Result<std::string>)> changed) {
  const auto wanted = parse_mapping_way(way);
  const SocketAddress local = node->local_address();
  if (!wanted) return std::unexpected(Error{ErrorCode::kInvalidArgument, "no way to map ports: " + std::string(way)});
  if (auto why = why_not_mapped(local)) return std::unexpected(Error{ErrorCode::kInvalidArgument, *std::move(why)});
  port_changed_ = std::move(changed);
  mapper_.reset();
  port_changes_ = 0;
  mapper_ = std::make_unique<PortMapper>(
      local.port(), node->random(),
      [this] {
        node->wake();
        wake_foreign_loop();
      },
      *wanted);
  return {};
}

void Node::Implementation::tend_port(Instant now) {
  port_changes_ = mapper_->changes();
  const auto state = mapper_->state();
  if (!state) return;
  const std::optional<SocketAddress> mapped = *state ? std::optional((*state)->address) : std::nullopt;
  const bool same = mapped == mapped_ && mapped.has_value();
  mapped_ = mapped;
  if (registration_ != nullptr) registration_->set_candidates(now, own_addresses());
  if (same || !port_changed_) return;
  // Called through a copy: it may ask in another way.
  const auto tell = port_changed_;
  if (mapped) return tell(*owner, mapped->to_string());
  tell(*owner, std::unexpected(to_public(state->error()).error()));
}

}  // namespace godwit::v1
