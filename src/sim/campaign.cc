#include "sim/campaign.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "sim/scenario_attack.h"
#include "sim/scenario_random.h"

namespace godwit::sim {
namespace {

// Seeds a thread takes at once.
constexpr std::uint64_t kBatch = 32;

// What a result of one scenario and one of many have in common.
template <typename Part>
void add_counts(CampaignResult& sum, const Part& part) {
  sum.events += part.events;
  sum.datagrams += part.datagrams;
  sum.messages += part.messages;
  sum.confirmed += part.confirmed;
  for (std::size_t i = 0; i < sum.drops.size(); ++i) sum.drops[i] += part.drops[i];
  sum.corrupted += part.corrupted;
  sum.duplicated += part.duplicated;
  sum.reordered += part.reordered;
  sum.marked += part.marked;
  sum.faults += part.faults;
  sum.attack_datagrams += part.attack_datagrams;
  sum.attack_connections += part.attack_connections;
  sum.attack.connects += part.attack.connects;
  sum.attack.connected += part.attack.connected;
  sum.attack.unproven_received += part.attack.unproven_received;
  sum.attack.unproven_sent += part.attack.unproven_sent;
  sum.attack.most_unopened = std::max(sum.attack.most_unopened, part.attack.most_unopened);
  sum.attack.peak_memory = std::max(sum.attack.peak_memory, part.attack.peak_memory);
}

void add(CampaignResult& sum, const SimulationResult& result) {
  ++sum.scenarios;
  sum.simulated_seconds += to_seconds(result.simulated);
  add_counts(sum, result);
}

void add(CampaignResult& sum, const CampaignResult& part) {
  sum.scenarios += part.scenarios;
  sum.failing.insert(sum.failing.end(), part.failing.begin(), part.failing.end());
  sum.simulated_seconds += part.simulated_seconds;
  add_counts(sum, part);
}

}  // namespace

CampaignResult run_campaign(const CampaignOptions& options) {
  CampaignResult total;
  std::mutex lock;
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    CampaignResult part;
    while (true) {
      const std::uint64_t begin = next.fetch_add(kBatch);
      if (begin >= options.count) break;
      const std::uint64_t end = std::min(begin + kBatch, options.count);
      for (std::uint64_t offset = begin; offset < end; ++offset) {
        const std::uint64_t seed = options.first + offset;
        const SimulationResult result = Simulator(options.attacks ? random_attack(seed) : random_scenario(seed)).run();
        add(part, result);
        if (result.clean()) continue;
        part.failing.push_back(seed);
        const std::lock_guard hold(lock);
        if (options.on_failure) options.on_failure(seed, result.violations.front());
      }
    }
    const std::lock_guard hold(lock);
    add(total, part);
  };
  std::vector<std::thread> threads;
  for (std::uint32_t job = 1; job < options.jobs; ++job) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  std::sort(total.failing.begin(), total.failing.end());
  return total;
}

}  // namespace godwit::sim
