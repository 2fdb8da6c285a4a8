#include "sim/link.h"

#include <algorithm>
#include <cmath>

namespace godwit::sim {

std::string_view link_drop_name(LinkDrop drop) {
  switch (drop) {
    case LinkDrop::kLoss: return "loss";
    case LinkDrop::kQueueFull: return "queue_full";
    case LinkDrop::kAqm: return "queue_management";
    case LinkDrop::kMtu: return "mtu";
    case LinkDrop::kBlackout: return "blackout";
    case LinkDrop::kPolicer: return "policer";
    case LinkDrop::kEcn: return "ecn";
    case LinkDrop::kCount: break;
  }
  return "none";
}

// 24 buckets a decade from one microsecond on.
void DelayHistogram::add(Duration delay) {
  const double microseconds = std::max(1.0, static_cast<double>(delay.count()) * 1e-3);
  const auto bucket = static_cast<std::size_t>(std::log10(microseconds) * 24);
  ++counts_[std::min(bucket, kBuckets - 1)];
  ++total_;
}

Duration DelayHistogram::percentile(double quantile) const {
  if (total_ == 0) return {};
  const auto wanted = static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(total_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen < wanted) continue;
    return bucket == 0 ? Duration{} : from_seconds(std::pow(10.0, static_cast<double>(bucket + 1) / 24) * 1e-6);
  }
  return {};
}

Link::Link(const LinkSpec& spec, RandomSource& random, Instant start)
    : spec_(&spec), random_(&random), start_(start), loss_(spec.loss, random), free_at_(start), tokens_at_(start) {
  if (spec.policer) tokens_ = static_cast<double>(spec.policer->burst_bytes);
}

Bandwidth Link::rate_at(Instant now) const {
  Bandwidth rate = spec_->rate;
  for (const RateChange& change : spec_->rate_changes) {
    if (start_ + change.at > now) break;
    rate = change.rate;
  }
  return rate;
}

std::uint32_t Link::mtu_at(Instant now) const {
  std::uint32_t mtu = spec_->mtu;
  for (const MtuChange& change : spec_->mtu_changes) {
    if (start_ + change.at > now) break;
    mtu = change.mtu;
  }
  return mtu;
}

bool Link::police(Instant now, std::uint32_t bytes) {
  const Policer& policer = *spec_->policer;
  const double gained = to_seconds(now - tokens_at_) * static_cast<double>(policer.rate.bytes_per_second());
  tokens_ = std::min(static_cast<double>(policer.burst_bytes), tokens_ + gained);
  tokens_at_ = now;
  if (tokens_ < bytes) return false;
  tokens_ -= bytes;
  return true;
}

std::optional<LinkDrop> Link::enqueue(Instant now, std::uint32_t index, Packet& packet) {
  ++statistics_.packets_in;
  if (packet.charge > mtu_at(now)) return drop(LinkDrop::kMtu);
  for (const Span& blackout : spec_->blackouts) {
    if (now >= start_ + blackout.from && now < start_ + blackout.until) return drop(LinkDrop::kBlackout);
  }
  if (loss_.loses_next()) return drop(LinkDrop::kLoss);
  if (packet.ecn != Ecn::kNone && spec_->ecn == EcnRule::kDrop) return drop(LinkDrop::kEcn);
  if (spec_->ecn == EcnRule::kClear) packet.ecn = Ecn::kNone;
  if (spec_->policer && !police(now, packet.charge)) return drop(LinkDrop::kPolicer);
  const bool bounded = !spec_->rate.is_unlimited() && !ignores_bound_;
  if (bounded && queued_bytes_ + packet.charge > spec_->queue.bytes) return drop(LinkDrop::kQueueFull);
  if (spec_->corrupt > 0 && packet.size > 0 && random_->unit() < spec_->corrupt) {
    packet.bytes[random_->below(packet.size)] ^= static_cast<std::uint8_t>(1 + random_->below(255));
    ++statistics_.corrupted;
  }
  packet.queued_at = now;
  queued_bytes_ += packet.charge;
  queue_.push_back(index);
  return std::nullopt;
}

std::optional<Link::Departure> Link::transmit(Instant now, PacketPool& pool, std::vector<std::uint32_t>& dropped) {
  while (!queue_.empty()) {
    const std::uint32_t index = queue_.front();
    Packet& packet = pool[index];
    queue_.pop_front();
    queued_bytes_ -= packet.charge;
    const Duration waited = now - packet.queued_at;
    if (spec_->aqm == Aqm::kCodel && codel_.drops(now, waited, queue_.empty())) {
      if (packet.ecn == Ecn::kNone || spec_->ecn != EcnRule::kMark) {
        drop(LinkDrop::kAqm);
        dropped.push_back(index);
        continue;
      }
      packet.ecn = Ecn::kCe;
      ++statistics_.marked;
    }
    delays_.add(waited);
    free_at_ = now + rate_at(now).time_for(packet.charge);
    Departure departure{.packet = index, .arrives_at = arrival_of(free_at_)};
    ++on_the_way_;
    if (spec_->duplicate > 0 && random_->unit() < spec_->duplicate) {
      departure.duplicate = true;
      ++statistics_.duplicated;
      ++on_the_way_;
    }
    return departure;
  }
  return std::nullopt;
}

Instant Link::arrival_of(Instant leaves_at) {
  Instant arrives = leaves_at + spec_->delay;
  for (const DelaySpike& spike : spec_->delay_spikes) {
    if (leaves_at >= start_ + spike.from && leaves_at < start_ + spike.until) arrives += spike.extra;
  }
  if (spec_->jitter > Duration::zero()) {
    arrives += Duration{static_cast<Duration::rep>(random_->below(static_cast<std::uint64_t>(spec_->jitter.count())))};
  }
  if (spec_->reorder > 0 && random_->unit() < spec_->reorder) {
    ++statistics_.reordered;
    return arrives + Duration{static_cast<Duration::rep>(random_->below(
                         static_cast<std::uint64_t>(std::max<Duration::rep>(spec_->reorder_by.count(), 1))))};
  }
  // A delay line keeps the order, also when its delay shrinks.
  latest_arrival_ = std::max(latest_arrival_, arrives);
  return latest_arrival_;
}

void Link::on_arrival(const Packet& packet) {
  --on_the_way_;
  ++statistics_.packets_out;
  statistics_.bytes_out += packet.charge;
}

}  // namespace godwit::sim
