#include "sim/campaign.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "sim/scenario_random.h"

namespace godwit::sim {
namespace {

// Seeds a thread takes at once.
constexpr std::uint64_t kBatch = 32;

void add(CampaignResult& sum, const SimulationResult& result) {
  ++sum.scenarios;
  sum.simulated_seconds += to_seconds(result.simulated);
  sum.events += result.events;
  sum.datagrams += result.datagrams;
  sum.messages += result.messages;
  sum.confirmed += result.confirmed;
  for (std::size_t i = 0; i < sum.drops.size(); ++i) sum.drops[i] += result.drops[i];
  sum.corrupted += result.corrupted;
  sum.duplicated += result.duplicated;
  sum.reordered += result.reordered;
  sum.disturbances += result.disturbances;
}

void add(CampaignResult& sum, const CampaignResult& part) {
  sum.scenarios += part.scenarios;
  sum.failing.insert(sum.failing.end(), part.failing.begin(), part.failing.end());
  sum.simulated_seconds += part.simulated_seconds;
  sum.events += part.events;
  sum.datagrams += part.datagrams;
  sum.messages += part.messages;
  sum.confirmed += part.confirmed;
  for (std::size_t i = 0; i < sum.drops.size(); ++i) sum.drops[i] += part.drops[i];
  sum.corrupted += part.corrupted;
  sum.duplicated += part.duplicated;
  sum.reordered += part.reordered;
  sum.disturbances += part.disturbances;
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
        const SimulationResult result = Simulator(random_scenario(seed)).run();
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
