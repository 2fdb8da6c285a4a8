// Many random scenarios on several threads, and what they found. Each scenario runs on one thread alone, so a seed
// fails or passes whatever the number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/simulator.h"

namespace godwit::sim {

struct CampaignOptions {
  std::uint64_t first = 1;
  std::uint64_t count = 1000;
  std::uint32_t jobs = 1;
  bool attacks = false;  // random_attack() in place of random_scenario()
  // Told of each failing seed as it is found, under a lock. May be empty.
  std::function<void(std::uint64_t seed, const Violation&)> on_failure;
};

struct CampaignResult {
  std::uint64_t scenarios = 0;
  std::vector<std::uint64_t> failing;  // ascending
  double simulated_seconds = 0;
  std::uint64_t events = 0;
  std::uint64_t datagrams = 0;
  std::uint64_t messages = 0;
  std::uint64_t confirmed = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(LinkDrop::kCount)> drops{};
  std::uint64_t corrupted = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t marked = 0;  // with congestion, by queues that would have dropped
  std::uint64_t faults = 0;
  std::uint64_t attack_datagrams = 0;
  std::uint64_t attack_connections = 0;
  AttackNumbers attack;  // sums, and the largest of what is a most
};

[[nodiscard]] CampaignResult run_campaign(const CampaignOptions& options);

}  // namespace godwit::sim
