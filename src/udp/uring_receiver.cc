#if GODWIT_WITH_URING

#include "udp/uring_receiver.h"

#include <poll.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

namespace godwit {
namespace {

constexpr std::uint64_t kReceiveTag = 1;
constexpr std::uint64_t kWakeTag = 2;
constexpr std::uint64_t kWritableTag = 3;
constexpr unsigned kSubmissionEntries = 16;
constexpr unsigned kBufferGroup = 0;
constexpr std::size_t kMaxBuffers = 32768;  // of one ring of provided buffers
constexpr std::size_t kAlignment = 64;
// A buffer begins with io_uring_recvmsg_out, the name and the control data; padded so that control data is aligned for
// cmsghdr and the payload for a cache line.
constexpr std::size_t kNameBytes = 32;
constexpr std::size_t kHeaderBytes = 192;
constexpr std::size_t kUringControlBytes = kHeaderBytes - sizeof(io_uring_recvmsg_out) - kNameBytes;
static_assert((sizeof(io_uring_recvmsg_out) + kNameBytes) % alignof(cmsghdr) == 0);
static_assert(kUringControlBytes >= kReceiveControlBytes);

std::size_t stride_of(std::size_t payload_bytes) {
  return (kHeaderBytes + payload_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

// The ring through which buffers are given to the kernel: shared memory, page-aligned.
struct UringReceiver::BufferRing {
  explicit BufferRing(unsigned count) : entries(count) {
    void* const mapped = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped != MAP_FAILED) ring = static_cast<io_uring_buf_ring*>(mapped);
  }
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  ~BufferRing() {
    if (ring != nullptr) ::munmap(ring, bytes());
  }
  [[nodiscard]] std::size_t bytes() const { return entries * sizeof(io_uring_buf); }

  unsigned entries;
  io_uring_buf_ring* ring = nullptr;
};

UringReceiver::UringReceiver(const Options& options, const Socket& socket, const Waker& waker,
                             std::size_t largest_datagram_bytes, BackendStatistics& statistics)
    : options_{.buffers = std::bit_ceil(std::clamp<std::size_t>(options.buffers, 2, kMaxBuffers)),
               .payload_bytes = options.payload_bytes},
      socket_(socket.descriptor()),
      waker_(waker.descriptor()),
      statistics_(statistics),
      intake_(socket, largest_datagram_bytes, statistics),
      pool_(std::make_unique_for_overwrite<std::uint8_t[]>(options_.buffers * stride_of(options.payload_bytes) +
                                                           kAlignment)) {
  const std::size_t misaligned = reinterpret_cast<std::uintptr_t>(pool_.get()) % kAlignment;
  first_buffer_ = pool_.get() + (misaligned == 0 ? 0 : kAlignment - misaligned);
  layout_.msg_namelen = kNameBytes;
  layout_.msg_controllen = kUringControlBytes;
  arrivals_.reserve(options_.buffers);
  lent_.reserve(options_.buffers);
}

UringReceiver::~UringReceiver() {
  cancel_all();
}

// Closing a ring ends its requests some time later, and until then they hold the socket and so its port.
void UringReceiver::cancel_all() {
  if (!ring_.is_open() || !receive_armed_) return;
  io_uring_sync_cancel_reg all{};
  all.fd = -1;
  all.flags = IORING_ASYNC_CANCEL_ANY;
  all.timeout = {.tv_sec = -1, .tv_nsec = -1};
  if (io_uring_register_sync_cancel(&ring_.raw(), &all) < 0) return;
  io_uring_submit_and_get_events(&ring_.raw());
}

std::uint8_t* UringReceiver::buffer_at(std::uint16_t buffer) {
  return first_buffer_ + buffer * stride_of(options_.payload_bytes);
}

Status UringReceiver::open() {
  // The ring goes first: the kernel must be through with the buffers before they are registered anew.
  ring_.close();
  const auto entries = static_cast<unsigned>(options_.buffers);
  if (auto status = ring_.open(kSubmissionEntries, 4 * entries + kSubmissionEntries); !status) return status;
  provided_ = std::make_unique<BufferRing>(entries);
  if (provided_->ring == nullptr) return failure(ErrorCode::kSystem, "no memory for provided buffers");
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(provided_->ring);
  registration.ring_entries = entries;
  registration.bgid = kBufferGroup;
  if (const int error = io_uring_register_buf_ring(&ring_.raw(), &registration, 0); error != 0) {
    ring_.close();
    return failure(ErrorCode::kUnsupported, std::string("provided buffers of io_uring: ") + std::strerror(-error));
  }
  io_uring_buf_ring_init(provided_->ring);
  receive_armed_ = wake_armed_ = writable_armed_ = false;

  std::vector<bool> in_use(options_.buffers, false);
  for (const std::uint16_t buffer : lent_) in_use[buffer] = true;
  for (std::size_t i = next_arrival_; i < arrivals_.size(); ++i) in_use[arrivals_[i].buffer] = true;
  for (std::size_t buffer = 0; buffer < options_.buffers; ++buffer) {
    if (!in_use[buffer]) give_back(static_cast<std::uint16_t>(buffer));
  }
  return {};
}

void UringReceiver::give_back(std::uint16_t buffer) {
  const auto bytes = static_cast<unsigned>(kHeaderBytes + options_.payload_bytes);
  io_uring_buf_ring_add(provided_->ring, buffer_at(buffer), bytes, buffer,
                        io_uring_buf_ring_mask(static_cast<unsigned>(options_.buffers)), 0);
  io_uring_buf_ring_advance(provided_->ring, 1);
}

// Queues the requests that are not under way; the next entry submits them.
void UringReceiver::arm() {
  if (!wake_armed_) {
    if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_.raw())) {
      io_uring_prep_poll_multishot(entry, waker_, POLLIN);
      entry->user_data = kWakeTag;
      wake_armed_ = true;
    }
  }
  // With every buffer out of the kernel's hands the request would end at once; arrivals are there to be read first.
  const std::size_t out = lent_.size() + arrivals_.size() - next_arrival_;
  if (!receive_armed_ && out < options_.buffers) {
    if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_.raw())) {
      io_uring_prep_recvmsg_multishot(entry, socket_, &layout_, 0);
      entry->flags |= IOSQE_BUFFER_SELECT;
      entry->buf_group = kBufferGroup;
      entry->user_data = kReceiveTag;
      receive_armed_ = true;
    }
  }
}

bool UringReceiver::enter(bool sleep, std::optional<Duration> timeout) {
  if (!ring_.enable()) {
    statistics_.receive_errors.add(ENXIO);
    return false;
  }
  arm();
  int result = 0;
  if (!sleep) {
    result = io_uring_submit_and_get_events(&ring_.raw());
  } else {
    const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
    __kernel_timespec kernel_limit{.tv_sec = limit.tv_sec, .tv_nsec = limit.tv_nsec};
    io_uring_cqe* completion = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_.raw(), &completion, 1, timeout ? &kernel_limit : nullptr, nullptr);
  }
  if (result == -EEXIST) {
    // The ring belongs to another thread: this one takes over with a ring of its own, and keeps what the old one shows.
    reap();
    if (!open() || !ring_.enable()) return false;
    arm();
    result = io_uring_submit_and_get_events(&ring_.raw());
  }
  reap();
  if (result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY) return true;
  statistics_.receive_errors.add(-result);
  return false;
}

void UringReceiver::reap() {
  arrivals_.erase(arrivals_.begin(), arrivals_.begin() + static_cast<std::ptrdiff_t>(next_arrival_));
  next_arrival_ = 0;
  io_uring_cqe* completion = nullptr;
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_for_each_cqe(&ring_.raw(), head, completion) {
    ++seen;
    const bool goes_on = (completion->flags & IORING_CQE_F_MORE) != 0;
    if (completion->user_data == kWakeTag) {
      woken_ = true;
      wake_armed_ = goes_on;
    } else if (completion->user_data == kWritableTag) {
      writable_ = true;
      writable_armed_ = false;
    } else {
      receive_armed_ = goes_on;
      on_arrival(*completion);
    }
  }
  io_uring_cq_advance(&ring_.raw(), seen);
}

void UringReceiver::on_arrival(const io_uring_cqe& completion) {
  if (completion.res < 0) {
    // Out of buffers is how a multishot request ends under load: it is armed again when buffers come back.
    if (completion.res == -ENOBUFS) return;
    ++statistics_.failed_receive_calls;
    statistics_.receive_errors.add(-completion.res);
    return;
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) == 0) return;
  arrivals_.push_back({.buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT),
                       .bytes = static_cast<std::uint32_t>(completion.res)});
}

void UringReceiver::receive(ReceivedBatches& inbox) {
  inbox.clear();
  for (const std::uint16_t buffer : lent_) give_back(buffer);
  lent_.clear();
  if (next_arrival_ == arrivals_.size()) {
    if (ring_.is_open() && io_uring_cq_ready(&ring_.raw()) > 0) reap();
    if (next_arrival_ == arrivals_.size()) {
      ++statistics_.receive_calls;
      enter(false, std::nullopt);
    }
  }
  const std::size_t bound = options_.buffers / 2;
  const std::uint64_t datagrams_before = statistics_.datagrams_received;
  while (next_arrival_ < arrivals_.size() && lent_.size() < bound) take(arrivals_[next_arrival_++], inbox);
  statistics_.receive_occupancy.add(statistics_.datagrams_received - datagrams_before);
  if (next_arrival_ < arrivals_.size() || lent_.size() == bound) inbox.set_stopped_at_bound();
}

void UringReceiver::take(const Arrival& arrival, ReceivedBatches& inbox) {
  lent_.push_back(arrival.buffer);
  std::uint8_t* const base = buffer_at(arrival.buffer);
  io_uring_recvmsg_out out;
  if (arrival.bytes < kHeaderBytes) return;
  std::memcpy(&out, base, sizeof out);
  msghdr header{};
  header.msg_name = base + sizeof out;
  header.msg_namelen = std::min<socklen_t>(out.namelen, kNameBytes);
  header.msg_control = base + sizeof out + kNameBytes;
  header.msg_controllen = std::min<std::size_t>(out.controllen, kUringControlBytes);
  header.msg_flags = static_cast<int>(out.flags);
  intake_.take(header, {base + kHeaderBytes, arrival.bytes - kHeaderBytes}, inbox);
}

WaitOutcome UringReceiver::wait(bool for_writing, std::optional<Duration> timeout) {
  const auto has_arrivals = [this] { return next_arrival_ < arrivals_.size(); };
  if (ring_.is_open() && io_uring_cq_ready(&ring_.raw()) > 0) reap();
  if (for_writing && !writable_armed_ && ring_.is_open()) {
    if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_.raw())) {
      io_uring_prep_poll_add(entry, socket_, POLLOUT);
      entry->user_data = kWritableTag;
      writable_armed_ = true;
    }
  }
  if (!has_arrivals() && !woken_ && !writable_) {
    const bool sleep = !timeout || *timeout > Duration::zero();
    if (!enter(sleep, timeout) && sleep) {
      // A ring that cannot wait must not make the loop spin.
      pollfd entry{socket_, POLLIN, 0};
      static_cast<void>(::poll(&entry, 1, 1));
    }
  }
  const WaitOutcome outcome{.readable = has_arrivals(), .writable = writable_ && for_writing, .woken = woken_};
  woken_ = false;
  writable_ = false;
  return outcome;
}

}  // namespace godwit

#endif
