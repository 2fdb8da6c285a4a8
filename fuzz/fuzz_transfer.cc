// The protocols above the transport (docs/file_transfer.md) against a hostile peer that holds valid keys: it says any
// control message at any time and opens any stream, while the other side is the receiver of files, the server of
// performance runs, the sender of files or the client of a performance run, on real files in memory.
//
// Checked: nothing aborts; what is open, unfinished and named keeps its bounds; no file leaves its folder.
#include <filesystem>
#include <memory>
#include <string>

#include "fuzz/input.h"
#include "fuzz/scratch_folder.h"
#include "transfer/file_receiver.h"
#include "transfer/file_send_session.h"
#include "transfer/perf_client.h"
#include "transfer/perf_server.h"
#include "transfer/stream_header.h"
#include "transport/endpoint_pair_test_support.h"

namespace godwit::fuzz {
namespace {

constexpr int kMaxSteps = 50;
constexpr std::size_t kMaxFiles = 6;

class Observer final : public FileReceiver::Observer, public PerfServer::Observer {
 public:
  void on_file_received(ConnectionId, const ReceivedFile& file) override {
    GODWIT_ASSERT(file.name.find('/') == std::string::npos && !file.name.empty());
    ++received;
  }
  void on_file_failed(ConnectionId, const std::string&, const std::string&) override {}
  void on_file_refused(ConnectionId, std::string_view, std::string_view) override {}
  void on_message(ConnectionId, std::uint64_t, const std::array<std::uint8_t, kSha256Size>&, bool, ByteView) override {}
  void on_message_dropped(ConnectionId, std::uint64_t) override {}
  void on_perf_running(Instant, PerfRun&) override {}
  std::string perf_details(Instant, PerfRun&) override { return "{}"; }
  void on_perf_ended(Instant, PerfRun& run) override { compare(run); }
  static void compare(const PerfRun& run) {
    if (run.peer_result()) static_cast<void>(run.disagreement());
    if (run.sender() != nullptr) GODWIT_ASSERT(run.sender()->elapsed(Instant{2h}) >= Duration::zero());
  }
  int received = 0;
};

enum class Role : std::uint8_t { kFileReceiver, kPerfServer, kFileSender, kPerfClient, kCount };

// The side under test connects in the last two roles.
bool initiates(Role role) {
  return role == Role::kFileSender || role == Role::kPerfClient;
}

class World {
 public:
  explicit World(Input input)
      : input_(input),
        setup_(input_.byte()),
        role_(static_cast<Role>(setup_ % static_cast<std::uint8_t>(Role::kCount))),
        pair_(config(initiates(role_) && (setup_ & 0x80) != 0), config(!initiates(role_) && (setup_ & 0x80) != 0)),
        hostile_(initiates(role_) ? pair_.server : pair_.client),
        tested_(initiates(role_) ? pair_.client : pair_.server) {
    hostile_.on_event = [this](Instant, ConnectionId connection, Event& event) { hear(connection, event); };
    switch (role_) {
      case Role::kFileReceiver: make_file_receiver(); break;
      case Role::kPerfServer:
        server_ =
            std::make_unique<PerfServer>(*tested_.endpoint, pair_.random,
                                         PerfServer::Options{.window = 65536, .working_set_bytes = 8192}, observer_);
        feed(*server_);
        add_third();
        break;
      case Role::kFileSender:
        sender_ = std::make_unique<FileSendSession>(
            *tested_.endpoint, pair_.random,
            FileSendSession::Options{.addresses = {hostile_.address},
                                     .peer_key = hostile_.endpoint->public_key(),
                                     .files = {folder() / "some.bin", folder() / "empty.bin"},
                                     .name = std::nullopt,
                                     .messages = {Bytes(20, 1), Bytes(3000, 2)},
                                     .parallel = 2,
                                     .wake = [] {},
                                     .notice = nullptr});
        feed(*sender_);
        pair_.threads_work = [this] { return sender_->reading(); };
        break;
      default: make_perf_client(); break;
    }
  }

  void run() {
    if (!start()) return;
    for (int step = 0; step < kMaxSteps && !input_.empty() && connection_ != 0; ++step) {
      act();
      GODWIT_ASSERT(tested_.endpoint->connection_count() <= (third_ != nullptr ? 3U : 2U));
      if (receiver_) GODWIT_ASSERT(receiver_->unfinished() <= kMaxFiles);
    }
    wait(100ms);
    if (client_) Observer::compare(client_->run());
    if (sender_) static_cast<void>(sender_->statistics());
    if (receiver_) receiver_->cancel_all(pair_.now, "the end");
    receiver_.reset();
    store_.reset();
    if (role_ == Role::kFileReceiver) {
      folder().check();
      if (observer_.received > 0) folder().remove_received();
    }
  }

 private:
  // `ages`: its key is to be renewed after a few packets.
  static Config config(bool ages) {
    Config config = EndpointPair::chunk_config();
    if (ages) config.soft_packet_limit = 12;
    config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 1 << 20};
    // The network has no rate of its own: a second of a performance run would take seconds of the processor.
    config.endpoint_rate_limit = Bandwidth::from_bits_per_second(4'000'000);
    config.admission.address_entries = 64;
    config.admission.prefix_entries = 64;
    config.admission.reply_entries = 64;
    return config;
  }

  template <typename T>
  void feed(T& tested) {
    tested_.on_event = [&tested](Instant now, ConnectionId id, Event& event) { tested.on_event(now, id, event); };
    tested_.on_turn = [&tested](Instant now) { tested.on_turn(now); };
    tested_.next_timeout = [&tested] { return tested.next_timeout(); };
  }

  void make_file_receiver() {
    store_ = std::move(*FileStore::open({.folder = folder() / "received", .sync = false, .wake = [] {}}));
    FileReceiver::Options options;
    // Totals beyond what is for the first comer alone, so that networks share them.
    options.limits = {.largest_file = 16 << 20,
                      .all_bytes = 40 << 20,
                      .all_files = 24,
                      .files_of_a_peer = 4,
                      .files = kMaxFiles,
                      .window = 65536,
                      .block_memory = 8 << 20};
    receiver_ = std::make_unique<FileReceiver>(*tested_.endpoint, *store_, options, observer_);
    feed(*receiver_);
    add_third();
    pair_.threads_work = [this] { return store_ && store_->pending() > 0; };
  }

  // Of another network: places, space and turns are shared between sources.
  void add_third() {
    third_ = &pair_.add_third(*SocketAddress::parse("172.16.9.3:3000"));
    third_->on_event = [this](Instant, ConnectionId connection, Event& event) {
      if (std::holds_alternative<Connected>(event)) third_connection_ = connection;
    };
    static_cast<void>(third_->endpoint->connect(pair_.now, tested_.address, tested_.endpoint->public_key()));
  }

  void make_perf_client() {
    PerfClient::Options options{.addresses = {hostile_.address}, .server_key = hostile_.endpoint->public_key()};
    const std::uint8_t shape = input_.byte();
    options.run.plan.duration = 200ms;
    options.run.plan.streams = static_cast<std::uint16_t>(1 + shape % 3);
    options.run.plan.stream_bytes = 20'000;
    options.run.sends = (shape & 8) != 0;
    options.run.receives = !options.run.sends || (shape & 16) != 0;
    options.run.window = 65536;
    options.run.bytes = std::make_shared<const WorkingSet>(8192, pair_.random);
    if ((shape & 32) != 0) options.ping_pong = PingPong::Options{.interval = 10ms};
    if ((shape & 64) != 0) options.ping_pong = PingPong::Options{.outstanding = 1U + (shape & 1U)};
    client_ = std::make_unique<PerfClient>(*tested_.endpoint, pair_.random, options, observer_);
    client_->set_echo([this] { return pair_.now; }, [](Duration) {});
    feed(*client_);
  }

  [[nodiscard]] bool start() {
    if (sender_) {
      if (!sender_->start(pair_.now)) return false;
    } else if (client_) {
      if (!client_->start(pair_.now)) return false;
    } else if (!initiate()) {
      return false;
    }
    return pair_.run_until([this] { return connection_ != 0; }, 3s);
  }
  [[nodiscard]] bool initiate() {
    return hostile_.endpoint->connect(pair_.now, tested_.address, tested_.endpoint->public_key()).has_value();
  }
  void wait(Duration time) {
    static_cast<void>(pair_.run_until([] { return false; }, time));
  }

  void hear(ConnectionId connection, Event& event) {
    if (std::holds_alternative<Connected>(event)) connection_ = connection;
    if (const auto* const message = std::get_if<MessageReceived>(&event)) {
      if (const auto control = decode_control(message->payload)) {
        if (const auto* const offer = std::get_if<FileOffer>(&*control)) known_ = offer->transfer;
        if (const auto* const start = std::get_if<PerfStart>(&*control)) known_ = start->session;
        if (const auto* const ask = std::get_if<EchoRequest>(&*control)) {
          echo_ = ask->sequence;
          echo_padding_.assign(ask->padding.begin(), ask->padding.end());
        }
      }
    }
    if (const auto* const chunk = std::get_if<StreamChunk>(&event)) stream_ = chunk->stream_id;
  }

  // --- What the hostile side says ---
  std::uint64_t id() {
    const std::uint8_t kind = input_.byte();
    if (kind % 4 == 0) return input_.number();
    return known_ != 0 ? known_ : kind % 6;
  }
  std::uint32_t stream() { return input_.coin() ? stream_ : input_.number32(); }

  std::array<std::uint8_t, kSha256Size> hash() {
    static const std::array<std::uint8_t, kSha256Size> kOfNothing = FileHash().finish();
    if (input_.coin()) return kOfNothing;
    if (input_.coin() && offered_ <= 5000) {  // the right one: data streams hold zeros
      FileHash zeros;
      zeros.update(Bytes(offered_));
      return zeros.finish();
    }
    std::array<std::uint8_t, kSha256Size> hash{};
    hash[0] = input_.byte();
    return hash;
  }

  std::string_view said() {
    static const std::string kText(40, 'q');
    return std::string_view(kText).substr(0, input_.byte() % kText.size());
  }

  std::string_view name() {
    static const std::string kLong(300, 'n');
    static const std::string kLongWithEnd = std::string(250, 'n') + ".tar.gz";
    static const std::array<std::string_view, 24> kNames{"a",
                                                         "b.txt",
                                                         ".x",
                                                         "",
                                                         "..",
                                                         "a/b",
                                                         "-rf",
                                                         "con",
                                                         "\xe2\x80\xae"
                                                         "txt.exe",
                                                         "end.",
                                                         "end ",
                                                         "aux.txt",
                                                         "COM1",
                                                         "lpt9.log",
                                                         "a:b",
                                                         "a\\b",
                                                         "c\x01",
                                                         "\xff\xfe",
                                                         "\xc3\xa9t\xc3\xa9",
                                                         "\xf0\x9f\x98\x80",
                                                         "a (2).txt",
                                                         "\xe2\x80\x8b",
                                                         kLong,
                                                         kLongWithEnd};
    const std::uint8_t kind = input_.byte();
    if (kind < 0xf0) return kNames[kind % kNames.size()];
    const ByteView raw = input_.take(kind & 15);
    text_.assign(raw.begin(), raw.end());
    return text_;
  }

  FileOffer offer() {
    FileOffer offer{.transfer = id(), .size = input_.coin() ? input_.number() % 5000 : input_.number(), .name = name()};
    if (role_ == Role::kFileReceiver) known_ = offer.transfer;
    offered_ = offer.size;
    const std::uint8_t shape = input_.byte();
    if ((shape & 1) != 0) offer.attributes.mode = static_cast<std::uint16_t>(shape * 8U);
    if ((shape & 2) != 0) {
      offer.attributes.modified = FileTime{.seconds = static_cast<std::int64_t>(input_.number()),
                                           .nanoseconds = input_.number32() % 1'000'000'000};
    }
    if ((shape & 4) != 0) offer.resume = static_cast<std::uint8_t>(shape >> 6);
    if ((shape & 8) == 0) return offer;
    // Something in a folder, or what breaks the rules for it.
    static constexpr std::array<std::string_view, 10> kPaths{"f/",   "f/a", "f/a/",   "f/a/b",  "g/../x",
                                                             "f//a", "/f",  "f/.x/y", "f/nul/", "a"};
    offer.group = input_.byte() % 3;
    offer.name = kPaths[input_.byte() % kPaths.size()];
    if (input_.coin()) offer.size = 0;
    return offer;
  }

  PerfStart perf_start() {
    PerfStart start{.session = id(),
                    .flags = input_.byte(),
                    .congestion = input_.byte(),
                    .streams = static_cast<std::uint16_t>(input_.number()),
                    .stream_bytes = input_.coin() ? 1000U + input_.byte() : input_.number(),
                    .duration_ms = static_cast<std::uint32_t>(input_.number() % 1000),
                    .rate = input_.coin() ? 0 : input_.number(),
                    .target_bytes = input_.number(),
                    .window = input_.number(),
                    .progress_ms = input_.coin() ? 0 : static_cast<std::uint32_t>(input_.number())};
    if (role_ == Role::kPerfServer) known_ = start.session;
    return start;
  }

  PerfCut perf_cut() {
    PerfCut cut{.session = id(), .index = input_.byte(), .pieces = input_.byte(), .entries = {}};
    if (input_.one_in(8)) cut.pieces = static_cast<std::uint16_t>(input_.number());
    cut.entries.resize(input_.byte() % (kMaxCutEntries + 1));
    for (PerfCutEntry& entry : cut.entries) {
      entry = {.logical = input_.byte(), .sequence = input_.byte(), .bytes = input_.number()};
      if (input_.empty()) break;
    }
    return cut;
  }

  PerfProgress perf_progress() {
    PerfProgress progress{.session = id(),
                          .bytes = input_.number(),
                          .elapsed_ns = input_.number(),
                          .first_logical = static_cast<std::uint16_t>(input_.number()),
                          .logical_bytes = {}};
    progress.logical_bytes.resize(input_.byte() % (kMaxProgressStreams + 1), input_.number());
    return progress;
  }

  ControlMessage file_message(std::uint8_t kind) {
    switch (kind) {
      case 0: return offer();
      case 1:
        return FileAccept{.transfer = id(),
                          .window = input_.number(),
                          .files = static_cast<std::uint16_t>(input_.number()),
                          .held = input_.one_in(4) ? input_.number() : 0};
      case 2: return FileRefuse{.transfer = id(), .code = RefuseCode{input_.byte()}, .text = said()};
      case 3: return StreamCredit{.stream = stream(), .limit = input_.number()};
      case 4: return FileFinish{.transfer = id(), .hash = hash()};
      case 5: return FileConfirm{.transfer = id(), .hash = hash()};
      default: return FileCancel{.transfer = id(), .text = said()};
    }
  }

  ControlMessage perf_message(std::uint8_t kind) {
    switch (kind) {
      case 0: return perf_start();
      case 1: return PerfReady{.session = id(), .window = input_.number()};
      case 2: return PerfEnd{.session = id(), .cut = input_.byte()};
      case 3:
        return PerfResult{.session = id(),
                          .sent_bytes = input_.number(),
                          .sent_digest = input_.number(),
                          .received_bytes = input_.number(),
                          .received_digest = input_.number(),
                          .details = static_cast<std::uint16_t>(input_.number())};
      case 4: return PerfBusy{.session = id(), .text = said()};
      case 5: return PerfRenew{.session = id()};
      case 6: return PerfDetails{.session = id(), .index = input_.byte(), .text = said()};
      case 7: return PerfStop{.session = id()};
      case 8: return perf_cut();
      default: return perf_progress();
    }
  }

  Bytes control() {
    const std::uint8_t kind = input_.byte();
    const std::uint8_t which = kind % 20;
    if (which == 19) {
      const ByteView raw = input_.take(input_.byte());
      Bytes bytes(kControlMagic.begin(), kControlMagic.end());
      bytes.insert(bytes.end(), raw.begin(), raw.end());
      return bytes;
    }
    ControlMessage message;
    if (which < 7) {
      message = file_message(which);
    } else if (which < 17) {
      message = perf_message(static_cast<std::uint8_t>(which - 7));
    } else if (which == 17) {
      message = EchoRequest{.sequence = input_.number(), .padding = as_bytes(said())};
    } else {
      const bool answers = input_.coin();
      message = answers ? EchoReply{.sequence = echo_, .padding = echo_padding_}
                        : EchoReply{.sequence = input_.number(), .padding = as_bytes(said())};
    }
    Bytes bytes = encode_control(message);
    if (kind >= 240) bytes.resize(input_.byte() % (bytes.size() + 1));
    return bytes;
  }

  Bytes data_stream() {
    const std::uint8_t kind = input_.byte();
    StreamHeader header{.logical = (kind & 3) != 0 ? 0 : input_.number32(),
                        .transfer = (kind & 4) != 0 ? input_.number() : id(),
                        .offset = (kind & 8) != 0 ? input_.number() % 5000 : input_.number(),
                        .length = 0};
    // Up to 51 kB: what is cancelled on its way must not have arrived before.
    const std::size_t unit = (kind & 16) == 0 ? 1 : (kind & 64) == 0 ? 24 : 200;
    const std::size_t length = input_.byte() * unit;
    header.length = (kind & 0xe0) != 0 ? length : input_.number();
    Bytes bytes(kStreamHeaderSize + length);
    write_stream_header(header, std::span(bytes).first<kStreamHeaderSize>());
    if (kind >= 250) bytes.resize(1 + input_.byte() % bytes.size());
    return bytes;
  }

  void say(Bytes bytes, SendAs as) {
    const bool other = third_speaks_ && third_connection_ != 0;
    Endpoint& speaker = other ? *third_->endpoint : *hostile_.endpoint;
    const auto sent =
        speaker.send(pair_.now, other ? third_connection_ : connection_, Body::owned(std::move(bytes)), {.as = as});
    if (sent && !other) last_ = *sent;
  }

  // The hostile side cancels what it has said last, and the tested one ends what it does on its own account.
  void give_up() {
    const std::uint8_t kind = input_.byte();
    if ((kind & 1) != 0) {
      static_cast<void>(hostile_.endpoint->cancel(pair_.now, connection_, last_, kind));
    } else if (client_) {
      client_->stop(pair_.now);
    } else if (sender_ && kind >= 0xf0) {
      sender_->cancel(pair_.now, "cancelled");
    }
  }

  void act() {
    const std::uint8_t op = input_.byte();
    if (op < 120) {
      say(control(), op < 100 ? SendAs::kMessage : SendAs::kStream);
    } else if (op < 190) {
      say(data_stream(), op < 184 ? SendAs::kStream : SendAs::kOperationsStream);
    } else if (op < 200) {
      const ByteView raw = input_.take(input_.byte());
      say(Bytes(raw.begin(), raw.end()), (op & 1) != 0 ? SendAs::kStream : SendAs::kMessage);
    } else if (op < 202) {
      third_speaks_ = !third_speaks_;
    } else if (op < 204) {  // ends, or comes again
      hostile_.endpoint->close(pair_.now, connection_, "closed");
      connection_ = 0;
      if (!initiates(role_) && initiate()) static_cast<void>(pair_.run_until([this] { return connection_ != 0; }, 8s));
    } else if (op < 208) {  // connects again over the living connection, as for a new key
      if (initiates(role_)) return;
      connection_ = 0;
      if (initiate()) static_cast<void>(pair_.run_until([this] { return connection_ != 0; }, 8s));
    } else if (op == 211) {
      give_up();
    } else if (op == 210) {  // nothing arrives any more, or all does again
      pair_.loss = pair_.loss > 0 ? 0 : 1;
    } else if (op < 210) {
      wait(Duration{1s} * (input_.byte() % 40));
    } else {
      wait(Duration{1ms} * (1 + op - 212));
    }
  }

  Input input_;
  std::uint8_t setup_;
  Role role_;
  EndpointPair pair_;
  EndpointPair::Side& hostile_;
  EndpointPair::Side& tested_;
  Observer observer_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<FileReceiver> receiver_;
  std::unique_ptr<PerfServer> server_;
  std::unique_ptr<FileSendSession> sender_;
  std::unique_ptr<PerfClient> client_;
  ConnectionId connection_ = 0;
  EndpointPair::Side* third_ = nullptr;
  ConnectionId third_connection_ = 0;
  bool third_speaks_ = false;
  MessageId last_ = 0;
  std::uint64_t offered_ = 0;  // size of the latest offer
  std::uint64_t known_ = 0;    // transfer or session of the side under test
  std::uint64_t echo_ = 0;
  Bytes echo_padding_;
  std::uint32_t stream_ = 0;
  std::string text_;
};

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || size > 1024) return 0;
  godwit::fuzz::World(godwit::fuzz::Input(data, size)).run();
  return 0;
}
