// What the tests of the initiator's role share: an initiator and the datagrams that a scripted peer answers with. For
// tests only.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "handshake/handshake_test_support.h"

namespace godwit::test {

class InitiatorTest : public testing::Test {
 protected:
  Handshake initiate() {
    auto handshake = Handshake::initiate(kStart, alice_.context, kBob, bob_.keys.public_key());
    GODWIT_ASSERT(handshake.has_value());
    return std::move(*handshake);
  }
  // K1 as the peer learns it from the initiator's intro.
  SymmetricKey first_key(const Bytes& intro) { return seen(bob_.keys, intro).intro.key; }
  Bytes success_ack(const SymmetricKey& under, const SymmetricKey& named, bool v2 = true) {
    wire::AckOk ack{.key = named, .remote_address = kAlice, .version = std::nullopt};
    if (v2) ack.version = wire::kAnnouncedVersion;
    return seal_message(bob_.random, under, 0, ack);
  }
  Bytes peer_intro(const SymmetricKey& key, const wire::VersionBytes& version = wire::kAnnouncedVersion) {
    return make_intro(bob_.random, alice_.keys.public_key(), {.version = version, .key = key});
  }
  SymmetricKey new_key() { return SymmetricKey::generate(bob_.random); }

  Party alice_{1};
  Party bob_{2};
};

}  // namespace godwit::test
