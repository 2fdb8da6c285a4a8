// The rate at which a path loses packets whatever is sent: what BBR does not take for congestion.
//
// Congestion shows in three ways that noise does not. It comes with delay, as a queue drops when it is full. It spares
// a sender that sends no more than has been delivered, as a policer has nothing to drop then. And where neither shows,
// because the queue is short or others fill it, probing for more finds neither a higher rate nor a longer round trip.
// So losses are counted in bins of what was sent between probes, at the delivered rate or below it. The rate is that of
// the least lossy of the last bins; a bin through which a queue stood cannot raise it, and halves what is left of it;
// and it is forgotten when several probes in a row have had no effect.
//
// Sources: Copa (Arun and Balakrishnan, NSDI 2018, section 3.3) tells the presence of others by the delay that stays;
// the allowance on top of the rate is the threshold of draft-ietf-ccwg-bbr-06 section 2.5. Owned by BbrModel. No
// allocation.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bandwidth.h"
#include "base/time.h"

namespace godwit {

struct LossNoiseSample {
  std::uint64_t acked = 0;  // bytes, newly acknowledged
  std::uint64_t lost = 0;   // bytes, newly declared lost
  std::optional<Duration> rtt{};
  bool round_start = false;
  Duration min_rtt{};  // of the bare path, as far as is known
  std::uint64_t datagram_bytes = 1200;
};

class LossNoise {
 public:
  // Of four bins of 200 packets on a path that loses one in twenty, the least lossy loses 3.4 %; of four half as long,
  // 2.7 %: together with the threshold, what it really loses is tolerated.
  static constexpr std::size_t kBins = 4;
  static constexpr std::uint64_t kBinDatagrams = 200;
  // And as long as this, however many packets a round has: a burst of losses may last a round.
  static constexpr std::uint32_t kBinRounds = 3;
  static constexpr double kMost = 0.10;  // whatever the bins say
  static constexpr std::uint8_t kVainProbes = 4;

  // Of what was sent between probes. True if the rate has risen by half.
  bool on_quiet(const LossNoiseSample& sample);
  // Of whatever was sent; `bandwidth`: the largest that the path has delivered lately.
  void on_sample(const LossNoiseSample& sample, Bandwidth bandwidth);
  // A probe for bandwidth begins.
  void on_probe() { vain_probes_ = std::min<std::uint8_t>(vain_probes_ + 1, kVainProbes); }

  // Of the packets sent, as a share.
  [[nodiscard]] double rate() const;

 private:
  // The bin that is being filled; three windows at the most.
  std::uint32_t acked_ = 0;
  std::uint32_t lost_ = 0;
  std::int32_t queued_ = 0;  // samples of the round trip that show a queue, less those that do not
  std::uint16_t rounds_ = 0;
  std::uint8_t next_ = 0;

  // The effect of probing.
  std::uint8_t vain_probes_ = 0;
  Duration least_rtt_ = Duration::max();  // of the round
  Bandwidth bandwidth_;                   // when it last grew by a tenth

  std::array<float, kBins> bins_{};
};

}  // namespace godwit
