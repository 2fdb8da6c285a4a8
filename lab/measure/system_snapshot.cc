#include "measure/system_snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <vector>

#include "measure/stopwatch.h"
#include "support/json.h"

namespace godwit::measure {

namespace {

// Every counter of a snapshot once, so that differences and JSON cannot forget one.
struct CounterField {
  const char* name;
  std::uint64_t SystemSnapshot::* member;
};
constexpr CounterField kFields[] = {
    {"busy_jiffies", &SystemSnapshot::busy},
    {"idle_jiffies", &SystemSnapshot::idle},
    {"steal_jiffies", &SystemSnapshot::steal},
    {"soft_interrupt_jiffies", &SystemSnapshot::soft_interrupt},
    {"context_switches", &SystemSnapshot::context_switches},
    {"backlog_dropped", &SystemSnapshot::backlog_dropped},
    {"thermal_throttles", &SystemSnapshot::thermal_throttles},
    {"group_throttles", &SystemSnapshot::group_throttles},
    {"pages_swapped", &SystemSnapshot::pages_swapped},
};
struct UdpField {
  const char* name;
  const char* kernel_name;
  std::uint64_t UdpCounters::* member;
};
constexpr UdpField kUdpFields[] = {
    {"datagrams_in", "InDatagrams", &UdpCounters::datagrams_in},
    {"datagrams_out", "OutDatagrams", &UdpCounters::datagrams_out},
    {"no_port", "NoPorts", &UdpCounters::no_port},
    {"errors_in", "InErrors", &UdpCounters::errors_in},
    {"receive_buffer_errors", "RcvbufErrors", &UdpCounters::receive_buffer_errors},
    {"send_buffer_errors", "SndbufErrors", &UdpCounters::send_buffer_errors},
    {"checksum_errors", "InCsumErrors", &UdpCounters::checksum_errors},
    {"memory_errors", "MemErrors", &UdpCounters::memory_errors},
};

std::uint64_t unsigned_of(std::string_view text, int base = 10) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

// "Udp: InDatagrams …" names the columns, the next line beginning with "Udp:" holds them.
bool read_snmp(std::string_view table, UdpCounters& udp) {
  std::vector<std::string_view> names;
  for (const std::string_view line : split_lines(table)) {
    if (!line.starts_with("Udp: ")) continue;
    std::vector<std::string_view> words = split_words(line);
    if (names.empty()) {
      names = std::move(words);
      continue;
    }
    for (std::size_t i = 1; i < std::min(names.size(), words.size()); ++i) {
      for (const UdpField& field : kUdpFields) {
        if (names[i] == field.kernel_name) udp.*field.member += unsigned_of(words[i]);
      }
    }
    return true;
  }
  return false;
}

void read_snmp6(std::string_view table, UdpCounters& udp) {
  for (const std::string_view line : split_lines(table)) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() != 2 || !words[0].starts_with("Udp6")) continue;
    for (const UdpField& field : kUdpFields) {
      if (words[0].substr(4) == field.kernel_name) udp.*field.member += unsigned_of(words[1]);
    }
  }
}

// proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice. Guest time is inside user time.
void read_stat(std::string_view table, SystemSnapshot& snapshot) {
  for (const std::string_view line : split_lines(table)) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() >= 9 && words[0] == "cpu") {
      const auto column = [&words](std::size_t i) { return unsigned_of(words[i]); };
      snapshot.busy = column(1) + column(2) + column(3) + column(6) + column(7);
      snapshot.idle = column(4) + column(5);
      snapshot.soft_interrupt = column(7);
      snapshot.steal = column(8);
      snapshot.processor_known = true;
    } else if (words.size() == 2 && words[0] == "ctxt") {
      snapshot.context_switches = unsigned_of(words[1]);
    }
  }
}

std::uint64_t read_backlog(std::string_view table) {
  std::uint64_t dropped = 0;
  for (const std::string_view line : split_lines(table)) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() >= 2) dropped += unsigned_of(words[1], 16);
  }
  return dropped;
}

std::uint64_t read_thermal_throttles(const SystemFiles& files) {
  std::uint64_t count = 0;
  for (const std::string& name : files.list("/sys/devices/system/cpu")) {
    if (!name.starts_with("cpu") || name.size() < 4 || name[3] < '0' || name[3] > '9') continue;
    const std::string file = "/sys/devices/system/cpu/" + name + "/thermal_throttle/core_throttle_count";
    count += static_cast<std::uint64_t>(std::max<std::int64_t>(0, files.read_number(file).value_or(0)));
  }
  return count;
}

std::optional<double> read_hottest(const SystemFiles& files) {
  std::optional<double> hottest;
  for (const std::string& name : files.list("/sys/class/thermal")) {
    if (!name.starts_with("thermal_zone")) continue;
    if (const auto milli = files.read_number("/sys/class/thermal/" + name + "/temp")) {
      hottest = std::max(hottest.value_or(-273.15), static_cast<double>(*milli) / 1000);
    }
  }
  return hottest;
}

// Version 2 of control groups has one path for all controllers ("0::/…"), version 1 one a controller.
std::uint64_t read_group_throttles(const SystemFiles& files) {
  const std::optional<std::string> groups = files.read("/proc/self/cgroup");
  if (!groups) return 0;
  for (const std::string_view line : split_lines(*groups)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers.find("cpu") == std::string_view::npos) continue;
    const std::string base = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    const std::optional<std::string> stat = files.read(base + std::string(line.substr(second + 1)) + "/cpu.stat");
    if (!stat) continue;
    for (const std::string_view entry : split_lines(*stat)) {
      const std::vector<std::string_view> words = split_words(entry);
      if (words.size() == 2 && words[0] == "nr_throttled") return unsigned_of(words[1]);
    }
  }
  return 0;
}

std::uint64_t read_swapped(std::string_view table) {
  std::uint64_t pages = 0;
  for (const std::string_view line : split_lines(table)) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() == 2 && (words[0] == "pswpin" || words[0] == "pswpout")) pages += unsigned_of(words[1]);
  }
  return pages;
}

// Every record begins "priority,sequence,…": the last one's sequence tells how many there were.
std::optional<std::uint64_t> count_kernel_messages() {
  const int descriptor = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  constexpr int kMostRecords = 100'000;
  std::optional<std::uint64_t> count;
  std::array<char, 8192> record;
  for (int i = 0; i < kMostRecords; ++i) {
    const ssize_t got = ::read(descriptor, record.data(), record.size());
    if (got < 0 && errno == EPIPE) continue;  // overwritten while it was read: the next read goes on after the gap
    if (got <= 0) break;
    const std::string_view line(record.data(), static_cast<std::size_t>(got));
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) continue;
    const std::string_view rest = line.substr(comma + 1);
    count = unsigned_of(rest.substr(0, rest.find(','))) + 1;
  }
  ::close(descriptor);
  return count;
}

std::uint64_t later_minus_earlier(std::uint64_t after, std::uint64_t before) {
  return after >= before ? after - before : 0;  // a counter was reset in between
}

}  // namespace

std::optional<UdpCounters> read_udp_counters(const SystemFiles& files) {
  UdpCounters udp;
  const auto table = files.read("/proc/net/snmp");
  if (!table || !read_snmp(*table, udp)) return std::nullopt;
  if (const auto table6 = files.read("/proc/net/snmp6")) read_snmp6(*table6, udp);
  return udp;
}

SystemSnapshot take_system_snapshot(const SystemFiles& files) {
  SystemSnapshot snapshot;
  if (const auto udp = read_udp_counters(files)) {
    snapshot.udp = *udp;
    snapshot.udp_known = true;
  }
  if (const auto table = files.read("/proc/stat")) read_stat(*table, snapshot);
  if (const auto table = files.read("/proc/net/softnet_stat")) snapshot.backlog_dropped = read_backlog(*table);
  if (const auto table = files.read("/proc/vmstat")) snapshot.pages_swapped = read_swapped(*table);
  snapshot.thermal_throttles = read_thermal_throttles(files);
  snapshot.group_throttles = read_group_throttles(files);
  snapshot.hottest_celsius = read_hottest(files);
  if (files.is_real()) snapshot.kernel_messages = count_kernel_messages();
  snapshot.seconds = static_cast<double>(raw_nanoseconds()) * 1e-9;
  return snapshot;
}

SystemSnapshot operator-(const SystemSnapshot& after, const SystemSnapshot& before) {
  SystemSnapshot difference;
  for (const CounterField& field : kFields) {
    difference.*field.member = later_minus_earlier(after.*field.member, before.*field.member);
  }
  for (const UdpField& field : kUdpFields) {
    difference.udp.*field.member = later_minus_earlier(after.udp.*field.member, before.udp.*field.member);
  }
  difference.udp_known = after.udp_known && before.udp_known;
  difference.processor_known = after.processor_known && before.processor_known;
  difference.hottest_celsius = after.hottest_celsius;
  if (after.kernel_messages && before.kernel_messages) {
    difference.kernel_messages = later_minus_earlier(*after.kernel_messages, *before.kernel_messages);
  }
  difference.seconds = after.seconds - before.seconds;
  return difference;
}

double steal_share(const SystemSnapshot& difference) {
  const std::uint64_t all = difference.busy + difference.idle + difference.steal;
  return all == 0 ? 0 : static_cast<double>(difference.steal) / static_cast<double>(all);
}

Json to_json(const SystemSnapshot& difference) {
  Json udp = Json::object();
  for (const UdpField& field : kUdpFields) udp[field.name] = difference.udp.*field.member;
  Json json = {{"seconds", difference.seconds}};
  json["udp"] = difference.udp_known ? udp : Json(nullptr);
  for (const CounterField& field : kFields) json[field.name] = difference.*field.member;
  json["steal_share"] = difference.processor_known ? Json(steal_share(difference)) : Json(nullptr);
  json["kernel_messages"] = difference.kernel_messages ? Json(*difference.kernel_messages) : Json(nullptr);
  json["hottest_celsius"] = number_or_null(difference.hottest_celsius);
  return json;
}

SystemSnapshot system_snapshot_from_json(JsonReader reader) {
  SystemSnapshot snapshot;
  snapshot.seconds = reader.number("seconds");
  snapshot.udp_known = reader.has("udp") && !reader.value()["udp"].is_null();
  if (snapshot.udp_known) {
    JsonReader udp = reader.object("udp");
    for (const UdpField& field : kUdpFields) snapshot.udp.*field.member = udp.count(field.name);
  }
  for (const CounterField& field : kFields) snapshot.*field.member = reader.count(field.name);
  snapshot.processor_known = reader.optional_number("steal_share").has_value();
  if (const auto messages = reader.optional_number("kernel_messages")) {
    snapshot.kernel_messages = static_cast<std::uint64_t>(std::max(0.0, *messages));
  }
  snapshot.hottest_celsius = reader.optional_number("hottest_celsius");
  return snapshot;
}

}  // namespace godwit::measure
