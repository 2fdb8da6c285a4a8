#include "sim/checker_wire.h"

#include <fmt/format.h>

#include "base/random.h"
#include "wire/limits.h"

namespace godwit::sim {

std::size_t WireChecker::largest_datagram(const Config& config) {
  const HandshakeConfig& handshake = config.handshake;
  const bool larger =
      handshake.extended != ExtendedPolicy::kOff && (handshake.capabilities & wire::capability::kLargeDatagrams) != 0;
  return larger ? handshake.largest_datagram : wire::kMaxDatagram;
}

void WireChecker::on_datagram(Instant now, std::uint32_t host, ByteView datagram, std::size_t largest) {
  if (datagram.empty() || datagram.size() > largest) {
    return check_log_->report(Rule::kDatagram, now, fmt::format("host {} sent {} bytes", host, datagram.size()));
  }
  if (datagram[0] == wire::kTypeSymmetric && datagram.size() >= wire::kDatagramOverhead) {
    return check_nonce(now, host, datagram);
  }
  if (datagram[0] != wire::kTypeIntro || datagram.size() < wire::kIntroOverhead) {
    check_log_->report(Rule::kDatagram, now,
                       fmt::format("host {} sent {} bytes of type {:02x}", host, datagram.size(), datagram[0]));
  }
}

void WireChecker::check_nonce(Instant now, std::uint32_t host, ByteView datagram) {
  const std::uint64_t high = load_le<std::uint32_t>(datagram.data() + 1);
  const std::uint64_t low = load_le<std::uint64_t>(datagram.data() + 5);
  const std::uint64_t nonce = splitmix64(low ^ splitmix64(high)) | 1;
  const std::uint64_t tag = load_le<std::uint64_t>(datagram.data() + datagram.size() - 8) ^ datagram.size();
  Slot& slot = slot_of(nonce);
  if (slot.nonce == 0) {
    slot = {.nonce = nonce, .tag = tag};
    if (++used_ * 2 > slots_.size()) grow();
  } else if (slot.tag != tag) {
    check_log_->report(Rule::kNonce, now,
                       fmt::format("host {} used nonce {} twice", host, to_hex(datagram.subspan(1, 12))));
  }
}

WireChecker::Slot& WireChecker::slot_of(std::uint64_t nonce) {
  std::size_t at = (nonce >> 8) & (slots_.size() - 1);
  while (slots_[at].nonce != 0 && slots_[at].nonce != nonce) at = (at + 1) & (slots_.size() - 1);
  return slots_[at];
}

void WireChecker::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.nonce != 0) slot_of(slot.nonce) = slot;
  }
}

}  // namespace godwit::sim
