// Any events at all as qlog: each record is JSON between its separators. Texts in events may hold a peer's own words.
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "fuzz/input.h"
#include "trace/qlog_sink.h"

namespace godwit::fuzz {
namespace {

using namespace godwit::trace;

void check_record(std::string_view record) {
  GODWIT_ASSERT(record.starts_with('\x1e') && record.ends_with('\n'));
  GODWIT_ASSERT(nlohmann::json::accept(record.substr(1)));
}

class Events {
 public:
  explicit Events(Input& input) : input_(input) {}

  [[nodiscard]] Event next() {
    Event event{.at = Instant{duration()}, .connection = input_.number(), .data = packet_event(input_.byte())};
    return event;
  }

 private:
  Duration duration() { return Duration{static_cast<std::int64_t>(input_.number())}; }
  std::string_view text() {
    const ByteView raw = input_.take(input_.byte() % 40U);
    text_.assign(raw.begin(), raw.end());
    return text_;
  }
  PacketKind kind() { return static_cast<PacketKind>(input_.below(static_cast<std::size_t>(PacketKind::kCount) + 1)); }

  EventData packet_event(std::uint8_t which) {
    switch (which % 10) {
      case 0:
        return PacketSent{.packet_id = input_.number32(),
                          .kind = kind(),
                          .bytes = input_.number32(),
                          .retransmission = input_.coin()};
      case 1: return PacketReceived{.packet_id = input_.number32(), .kind = kind(), .bytes = input_.number32()};
      case 2: {
        const auto reason = static_cast<DropReason>(input_.below(static_cast<std::size_t>(DropReason::kCount)));
        return PacketDropped{.reason = reason, .bytes = input_.number32()};
      }
      case 3: return PacketLost{.packet_id = input_.number32(), .bytes = input_.number32(), .timeout = input_.coin()};
      case 4: return PacketsAcknowledged{.packets = input_.number(), .bytes = input_.number()};
      case 5:
        return MetricsUpdated{.latest_round_trip = duration(),
                              .smoothed_round_trip = duration(),
                              .minimum_round_trip = duration(),
                              .round_trip_variance = duration(),
                              .bytes_in_flight = input_.number(),
                              .window_bytes = input_.number(),
                              .pacing_rate = Bandwidth::from_bytes_per_second(input_.number())};
      default: return connection_event(which % 10);
    }
  }

  EventData connection_event(std::uint8_t which) {
    switch (which) {
      case 6: return CongestionStateChanged{.controller = "any", .state = text()};
      case 7: {
        const SocketAddress remote = address();
        return ConnectionStateChanged{.state = text(), .remote = remote};
      }
      case 8: return ConnectionClosed{.reason = text()};
      default:
        return HandshakePacket{.kind = kind(), .sent = input_.coin(), .bytes = input_.number32(), .remote = address()};
    }
  }

  SocketAddress address() {
    return input_.coin() ? SocketAddress::ipv4({192, 0, 2, input_.byte()}, input_.u16())
                         : SocketAddress::ipv6({0x20, 1, input_.byte()}, input_.u16());
  }

  Input& input_;
  std::string text_;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace godwit;
  using namespace godwit::fuzz;
  Input input(data, size);
  Events events(input);
  trace::QlogSink qlog(check_record);
  for (int i = 0; i < 32 && !input.empty(); ++i) qlog.on_event(events.next());
  return 0;
}
