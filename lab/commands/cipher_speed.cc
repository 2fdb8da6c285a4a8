#include "commands/cipher_speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/random.h"
#include "crypto/packet_opener.h"
#include "crypto/packet_sealer.h"
#include "measure/stopwatch.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

constexpr std::size_t kBatch = 54;
constexpr int kRounds = 30;

double nanoseconds(Duration span) {
  return static_cast<double>(span.count());
}

// A batch of full packets and where they are opened to.
class Probe {
 public:
  explicit Probe(CipherKind kind)
      : sealer_(make_packet_cipher(kind, key_), random_), opener_(make_packet_cipher(kind, key_)) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      const MutableBytes datagram = MutableBytes(datagrams_).subspan(i * wire::kMaxDatagram, wire::kMaxDatagram);
      to_seal_[i] = {.nonce = nullptr,
                     .text = datagram.data() + kEnvelopePrefix,
                     .body = &bodies_[i * wire::kFragmentPayload],
                     .size = wire::kMaxPlaintext,
                     .head_size = wire::kFragmentHeader,
                     .body_size = wire::kFragmentPayload};
      to_open_[i] = PacketOpener::to_open(datagram, &opened_[i * wire::kMaxPlaintext]);
    }
  }

  // Per packet, with `at_once` of them in each call.
  double seal(std::size_t at_once) {
    const measure::Stopwatch watch;
    for (std::size_t i = 0; i + at_once <= kBatch; i += at_once) {
      static_cast<void>(sealer_.seal_batch(std::span(to_seal_).subspan(i, at_once)));
    }
    return nanoseconds(watch.elapsed()) / kBatch;
  }
  double open(std::size_t at_once) {
    const measure::Stopwatch watch;
    for (std::size_t i = 0; i + at_once <= kBatch; i += at_once) {
      opener_.open_batch(std::span(to_open_).subspan(i, at_once));
    }
    return nanoseconds(watch.elapsed()) / kBatch;
  }

 private:
  DeterministicRandom random_{7};
  SymmetricKey key_ = SymmetricKey::generate(random_);
  PacketSealer sealer_;
  PacketOpener opener_;
  std::vector<std::uint8_t> bodies_ = std::vector<std::uint8_t>(kBatch * wire::kFragmentPayload);
  std::vector<std::uint8_t> datagrams_ = std::vector<std::uint8_t>(kBatch * wire::kMaxDatagram);
  std::vector<std::uint8_t> opened_ = std::vector<std::uint8_t>(kBatch * wire::kMaxPlaintext);
  std::array<PacketToSeal, kBatch> to_seal_;
  std::array<PacketToOpen, kBatch> to_open_;
};

void measure_speed(CipherSpeed& speed) {
  speed.seal_batch = speed.open_batch = speed.seal_single = speed.open_single = std::numeric_limits<double>::max();
  // Single packets on a connection that has not carried a batch.
  Probe single(speed.kind);
  Probe batch(speed.kind);
  for (int round = 0; round < kRounds; ++round) {
    speed.seal_single = std::min(speed.seal_single, single.seal(1));
    speed.open_single = std::min(speed.open_single, single.open(1));
    speed.seal_batch = std::min(speed.seal_batch, batch.seal(kBatch));
    speed.open_batch = std::min(speed.open_batch, batch.open(kBatch));
  }
}

}  // namespace

std::vector<CipherSpeed> measure_cipher_speeds(std::optional<CipherKind> only) {
  std::vector<CipherSpeed> speeds;
  for (const CipherKind kind : kAllCipherKinds) {
    if (only && kind != *only) continue;
    CipherSpeed& speed = speeds.emplace_back(CipherSpeed{.kind = kind,
                                                         .description = describe_cipher(kind),
                                                         .available = cipher_available(kind),
                                                         .chosen = kind == preferred_cipher()});
    if (speed.available) measure_speed(speed);
  }
  return speeds;
}

report::Table cipher_table(const std::vector<CipherSpeed>& speeds) {
  report::Table table{.title = "AES-128-GCM, nanoseconds for a full packet",
                      .columns = {{.title = "cipher"},
                                  {.title = "seal, in a batch", .right = true},
                                  {.title = "open", .right = true},
                                  {.title = "seal, alone", .right = true},
                                  {.title = "open", .right = true},
                                  {.title = "what it is", .minor = true}},
                      .note = "--cipher chooses another one than that marked *."};
  for (const CipherSpeed& speed : speeds) {
    const auto figure = [&speed](double nanoseconds_per_packet) {
      return report::Cell{speed.available ? fmt::format("{:.0f}", nanoseconds_per_packet) : "-"};
    };
    const report::Tone tone = speed.chosen      ? report::Tone::kStrong
                              : speed.available ? report::Tone::kPlain
                                                : report::Tone::kFaint;
    table.rows.push_back({{fmt::format("{}{}", cipher_name(speed.kind), speed.chosen ? " *" : ""), tone},
                          figure(speed.seal_batch),
                          figure(speed.open_batch),
                          figure(speed.seal_single),
                          figure(speed.open_single),
                          {speed.description, tone}});
  }
  return table;
}

measure::Json to_json(const std::vector<CipherSpeed>& speeds) {
  measure::Json list = measure::Json::array();
  for (const CipherSpeed& speed : speeds) {
    const auto figure = [&speed](double value) { return speed.available ? measure::Json(value) : measure::Json(); };
    list.push_back({{"name", cipher_name(speed.kind)},
                    {"description", speed.description},
                    {"available", speed.available},
                    {"chosen", speed.chosen},
                    {"seal_batch_ns", figure(speed.seal_batch)},
                    {"open_batch_ns", figure(speed.open_batch)},
                    {"seal_single_ns", figure(speed.seal_single)},
                    {"open_single_ns", figure(speed.open_single)}});
  }
  return list;
}

}  // namespace godwit::cli
