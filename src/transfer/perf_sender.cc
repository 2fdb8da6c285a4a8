#include "transfer/perf_sender.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "transfer/digest.h"

namespace godwit {
namespace {

// The next stream opens when less than this of the one before is unread, so that a turn never runs out of data.
constexpr std::uint64_t kOverlap = std::uint64_t{2} << 20;
// A run that ends by the clock still finishes its streams: they grow from the first length to the plan's only while one
// takes less than kShortStream, and shrink above kLongStream, so that the finish is short on a slow path too.
constexpr std::uint64_t kFirstStreamBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeastStreamBytes = std::uint64_t{64} << 10;
constexpr Duration kShortStream = 100ms;
constexpr Duration kLongStream = 400ms;
// What has not been confirmed so long after the end is given up, so that a run by time ends in time on every path.
constexpr Duration kFinishTime = 500ms;

}  // namespace

struct PerfSender::Outgoing {
  StreamHeader header;
  std::uint64_t position = 0;  // in the working set
  std::uint64_t hashed = 0;    // bytes of the stream that were read for the first time
  Instant opened_at{};
  std::uint32_t stream_id = 0;
  bool digesting = true;
  StreamDigest digest;
  std::array<std::uint8_t, WorkingSet::kLongestRead>
      first{};                  // header and the first bytes, where they are read together
  std::size_t first_bytes = 0;  // of these that have been written

  [[nodiscard]] std::uint64_t total() const { return header.length + kStreamHeaderSize; }
  [[nodiscard]] std::uint64_t payload_read() const {
    return hashed - std::min<std::uint64_t>(hashed, kStreamHeaderSize);
  }
};

// The body of one stream: first reads come in order and are digested, later ones are retransmissions.
class PerfSender::Source final : public BodySource {
 public:
  Source(std::shared_ptr<Outgoing> stream, std::shared_ptr<const WorkingSet> bytes, trace::CostSink* cost)
      : stream_(std::move(stream)), bytes_(std::move(bytes)), cost_(cost) {}

  // The working set outlives the stream, and nothing that has been read is written again.
  [[nodiscard]] bool views_stay() const override { return true; }

  [[nodiscard]] std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (offset < kStreamHeaderSize) [[unlikely]]
      return read_front(offset, length);
    const ByteView bytes = bytes_->read(stream_->position + offset - kStreamHeaderSize, length);
    note(offset, bytes);
    return bytes;
  }

 private:
  // Digests what has not been read before. What was looked at and not sent is read again, perhaps in other pieces.
  void note(std::uint64_t offset, ByteView bytes) {
    const std::uint64_t before = stream_->hashed;
    if (offset > before || offset + bytes.size() <= before) return;
    stream_->hashed = offset + bytes.size();
    const std::uint64_t from = std::max<std::uint64_t>(before, kStreamHeaderSize);
    if (!stream_->digesting || from >= stream_->hashed) return;
    GODWIT_COST_PROBE(cost_, kDigest);
    stream_->digest.update(bytes.subspan(static_cast<std::size_t>(from - offset)));
    GODWIT_COST_PROBE(cost_, kEncode);
  }

  [[nodiscard]] std::optional<ByteView> read_front(std::uint64_t offset, std::size_t length) {
    auto& first = stream_->first;
    if (offset + length > first.size()) return std::nullopt;
    const std::size_t end = static_cast<std::size_t>(offset) + length;
    if (stream_->first_bytes == 0) {
      write_stream_header(stream_->header, std::span(first).first<kStreamHeaderSize>());
      stream_->first_bytes = kStreamHeaderSize;
    }
    // Another thread may be sealing from what has been read before.
    if (end > stream_->first_bytes) {
      const ByteView bytes = bytes_->read(stream_->position, end - kStreamHeaderSize);
      const std::size_t known = stream_->first_bytes - kStreamHeaderSize;
      std::ranges::copy(bytes.subspan(known), first.begin() + static_cast<std::ptrdiff_t>(stream_->first_bytes));
      stream_->first_bytes = end;
    }
    const ByteView read = ByteView(first).subspan(static_cast<std::size_t>(offset), length);
    note(offset, read);
    return read;
  }

  std::shared_ptr<Outgoing> stream_;
  std::shared_ptr<const WorkingSet> bytes_;
  trace::CostSink* cost_;
};

PerfSender::PerfSender(Endpoint& endpoint, const PerfPlan& plan, std::shared_ptr<const WorkingSet> bytes,
                       std::uint64_t window, trace::CostSink* cost)
    : endpoint_(endpoint),
      plan_(plan),
      bytes_source_(std::move(bytes)),
      window_(window),
      cost_(cost),
      logical_(std::max<std::uint16_t>(plan.streams, 1)),
      logical_bytes_(logical_.size()) {
  for (Logical& logical : logical_) logical.next_bytes = std::min(plan_.stream_bytes, kFirstStreamBytes);
}

PerfSender::~PerfSender() = default;

void PerfSender::attach(Instant now, ConnectionId connection) {
  connection_ = connection;
  wants_renewal_ = false;
  if (!started_) started_ = now;
  by_stream_.clear();
  for (Logical& logical : logical_) {
    logical.current.reset();
    logical.former.reset();
  }
}

void PerfSender::on_credit(Instant now, const StreamCredit& credit) {
  const auto found = by_stream_.find(credit.stream);
  if (found != by_stream_.end()) endpoint_.extend_send_limit(now, connection_, found->second, credit.limit);
}

bool PerfSender::on_confirmed(Instant now, MessageId message) {
  const auto found = open_.find(message);
  if (found == open_.end()) return false;
  const std::shared_ptr<Outgoing> stream = found->second;
  bytes_ += stream->header.length;
  digest_ += stream->digesting ? stream->digest.value() : 0;
  closed_bytes_ += stream->payload_read();
  logical_bytes_[stream->header.logical] += stream->header.length;
  last_confirmed_ = now;
  by_stream_.erase(stream->stream_id);
  open_.erase(found);
  return true;
}

bool PerfSender::on_failed(Instant now, const MessageFailed& failed) {
  static_cast<void>(now);
  if (open_.erase(failed.message) == 0) return false;
  if (!failure_) failure_ = "a stream failed: " + failed.why;
  ended_ = true;
  return true;
}

void PerfSender::cut(Instant now) {
  ended_ = true;
  if (open_.empty()) return;
  was_cut_ = true;
  last_confirmed_ = now;
  const auto given_up = std::exchange(open_, {});
  by_stream_.clear();
  for (const auto& [message, stream] : given_up) {
    closed_bytes_ += stream->payload_read();
    cut_.push_back(stream);
    static_cast<void>(endpoint_.cancel(now, connection_, message));
  }
}

void PerfSender::apply_cut(const std::vector<PerfCutEntry>& entries) {
  std::map<std::uint32_t, std::uint64_t> first_unfinished;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> received;
  for (const PerfCutEntry& entry : entries) {
    const auto [first, is_new] = first_unfinished.try_emplace(entry.logical, entry.sequence);
    if (!is_new) first->second = std::min(first->second, entry.sequence);
    std::uint64_t& bytes = received[{entry.logical, entry.sequence}];
    bytes = std::max(bytes, entry.bytes);
  }
  for (const std::shared_ptr<Outgoing>& stream : std::exchange(cut_, {})) {
    const StreamHeader& header = stream->header;
    const auto first = first_unfinished.find(header.logical);
    const auto found = received.find({header.logical, header.offset});
    std::uint64_t bytes = found == received.end() ? 0 : found->second;
    if (first != first_unfinished.end() && header.offset < first->second) bytes = PerfCutEntry::kWhole;
    bytes = std::min(bytes, header.length);
    if (bytes == 0) continue;
    bytes_ += bytes;
    if (plan_.digest) digest_ += digest_of(*stream, bytes);
    logical_bytes_[header.logical] += bytes;
  }
}

std::uint64_t PerfSender::digest_of(const Outgoing& stream, std::uint64_t bytes) const {
  StreamDigest digest;
  for (std::uint64_t at = 0; at < bytes;) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - at, WorkingSet::kLongestRead));
    digest.update(bytes_source_->read(stream.position + at, length));
    at += length;
  }
  return digest.value();
}

bool PerfSender::is_over(Instant now) const {
  if (!started_) return false;
  if (plan_.target_bytes > 0) return planned_ >= plan_.target_bytes;
  return by_time() && now - *started_ >= plan_.duration;
}

bool PerfSender::may_open(Instant now) const {
  return !ended_ && !wants_renewal_ && started_ && !is_over(now);
}

void PerfSender::on_turn(Instant now) {
  if (connection_ == 0) return;
  if (is_over(now)) ended_ = true;
  if (ended_) {
    if (by_time() && !open_.empty() && now - *started_ >= plan_.duration + kFinishTime) cut(now);
    return;
  }
  if (wants_renewal_) return;
  for (std::uint32_t index = 0; index < logical_.size(); ++index) {
    Logical& logical = logical_[index];
    if (logical.current) {
      // Two unread streams at most: short ones would pile up otherwise, since all that are open take turns.
      const bool former_unread = logical.former && logical.former->hashed < logical.former->total();
      const std::uint64_t unread = logical.current->total() - logical.current->hashed;
      if (former_unread || logical.current->hashed == 0 || unread > kOverlap) continue;
      adapt(now, logical);
    }
    if (!may_open(now) || !open(now, index)) return;
  }
}

void PerfSender::adapt(Instant now, Logical& logical) {
  const Duration took = now - logical.current->opened_at;
  if (took < kShortStream) {
    logical.next_bytes = std::min(logical.next_bytes * 2, plan_.stream_bytes);
  } else if (took > kLongStream) {
    logical.next_bytes = std::max(logical.next_bytes / 2, std::min(kLeastStreamBytes, plan_.stream_bytes));
  }
}

bool PerfSender::open(Instant now, std::uint32_t index) {
  Logical& logical = logical_[index];
  std::uint64_t length = logical.next_bytes;
  if (plan_.target_bytes > 0) length = std::min(length, plan_.target_bytes - planned_);
  auto stream = std::make_shared<Outgoing>();
  stream->header = {.logical = index, .transfer = plan_.session, .offset = logical.next_sequence, .length = length};
  stream->position = position_;
  stream->digesting = plan_.digest;
  stream->opened_at = now;
  const auto message = endpoint_.send(
      now, connection_,
      Body::from_source(std::make_unique<Source>(stream, bytes_source_, cost_), length + kStreamHeaderSize),
      {.as = SendAs::kStream, .send_limit = window_});
  if (!message) {
    if (message.error().code == ErrorCode::kClosed) wants_renewal_ = true;
    // A full queue says when it is writable again; a turn comes then.
    if (message.error().code == ErrorCode::kNotFound) failure_ = "the connection has ended";
    return false;
  }
  stream->stream_id = endpoint_.stream_id(connection_, *message);
  by_stream_.emplace(stream->stream_id, *message);
  open_.emplace(*message, stream);
  logical.former = std::exchange(logical.current, std::move(stream));
  ++logical.next_sequence;
  planned_ += length;
  position_ = (position_ + length) % bytes_source_->size();
  return true;
}

std::optional<Instant> PerfSender::next_timeout() const {
  if (!started_ || !by_time()) return std::nullopt;
  if (!ended_) return *started_ + plan_.duration;
  if (open_.empty()) return std::nullopt;
  return *started_ + plan_.duration + kFinishTime;
}

std::uint64_t PerfSender::handed_out() const {
  std::uint64_t sum = closed_bytes_;
  for (const auto& [id, stream] : open_) sum += stream->payload_read();
  return sum;
}

Duration PerfSender::elapsed(Instant now) const {
  if (!started_) return Duration::zero();
  return (finished() && last_confirmed_ ? *last_confirmed_ : now) - *started_;
}

}  // namespace godwit
