// What a FileReceiver makes of offers: who may have a place, of the peer's and its address's quota, of the limits of
// this process and of the disk.
#include <algorithm>
#include <utility>

#include "transfer/file_name.h"
#include "transfer/file_receiver.h"
#include "transfer/file_receiver_parts.h"

namespace godwit {
namespace {

// An offer that was accepted so long ago without a byte makes room for another peer's when room is short.
constexpr Duration kUnbegunGrace = 5s;
// The system is asked for its free space this often at most.
constexpr Duration kSpaceInterval = 1s;
constexpr std::string_view kNoPlace = "too many files are under way";
// Beyond so much unbegun work of the disk no offer is taken: a peer that offers and cancels must not pile it up.
constexpr std::size_t kMaxDiskBacklog = 4096;

}  // namespace

std::optional<FileReceiver::Refusal> FileReceiver::judge(Instant now, const Peer& peer, const FileOffer& offer) {
  if (!may_send(peer)) {
    return Refusal{RefuseCode::kNotAllowed, "this peer is not among those that may send"};
  }
  if (const auto why = refuse_file_name(offer.name)) return Refusal{RefuseCode::kName, std::string(*why)};
  if (auto refusal = judge_totals(offer)) return refusal;
  if (!has_place(now, peer)) return Refusal{RefuseCode::kTooMany, std::string(kNoPlace)};
  if (!has_space(now, peer, offer.size)) return Refusal{RefuseCode::kNoSpace, "no space left on the device"};
  return std::nullopt;
}

std::optional<FileReceiver::Refusal> FileReceiver::judge_totals(const FileOffer& offer) const {
  const FileReceiverLimits& limits = options_.limits;
  if (offer.size > limits.largest_file) {
    return Refusal{RefuseCode::kTooLarge, "the file is larger than this receiver takes"};
  }
  if (limits.all_bytes && (accepted_bytes_ >= *limits.all_bytes || offer.size > *limits.all_bytes - accepted_bytes_)) {
    return Refusal{RefuseCode::kTooLarge, "this receiver takes no more bytes"};
  }
  if (limits.all_files && accepted_files_ >= *limits.all_files) {
    return Refusal{RefuseCode::kTooLarge, "this receiver takes no more files"};
  }
  return std::nullopt;
}

// A place of the quota. Where the address, or all together, have none left, a peer that holds more than this one, or
// has sent nothing for a while, gives up a place that it has not begun to use.
bool FileReceiver::has_place(Instant now, const Peer& peer) {
  if (store_.pending() >= kMaxDiskBacklog) return false;
  const PlaceQuota::Verdict verdict = places_.judge(peer.connection, peer.address);
  if (verdict == PlaceQuota::Verdict::kFree) return true;
  const std::size_t own = places_.of_peer(peer.connection);
  const std::size_t own_prefix = places_.of_prefix(peer.address);
  if (own >= places_.limits().of_a_peer) return false;
  Transfer* victim = nullptr;
  std::size_t most = 0;
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->begun || transfer->holder == peer.connection) continue;
    const bool same_prefix = transfer->address.prefix() == peer.address.prefix();
    if (!same_prefix && places_.of_prefix(transfer->address) <= own_prefix + 1) continue;
    const std::size_t theirs = places_.of_peer(transfer->holder);
    if (theirs <= own + 1 && now < transfer->began_at + kUnbegunGrace) continue;
    if (theirs > most) {
      most = theirs;
      victim = transfer.get();
    }
  }
  if (victim == nullptr) return false;
  evict(now, *victim);
  return places_.judge(peer.connection, peer.address) == PlaceQuota::Verdict::kFree;
}

// Promises are kept account of, so that files that fit only one by one are not accepted together, and a stranger's
// offers do not make this ask the system each time.
bool FileReceiver::has_space(Instant now, const Peer& peer, std::uint64_t bytes) {
  if (!space_asked_at_ || now >= *space_asked_at_ + kSpaceInterval) ask_for_space(now);
  while (space_left_ && bytes > *space_left_) {
    Transfer* victim = nullptr;
    for (const auto& [file, transfer] : transfers_) {
      if (transfer->begun || transfer->holder == peer.connection) continue;
      if (now < transfer->began_at + kUnbegunGrace) continue;
      if (victim == nullptr || transfer->size > victim->size) victim = transfer.get();
    }
    if (victim == nullptr || victim->size == 0) return false;
    *space_left_ += victim->size;
    evict(now, *victim);
  }
  return true;
}

void FileReceiver::ask_for_space(Instant now) {
  ++space_asked_;
  space_asked_at_ = now;
  space_left_ = store_.free_bytes();
  if (!space_left_) return;
  std::uint64_t promised = 0;
  for (const auto& [file, transfer] : transfers_) {
    const std::uint64_t missing = transfer->size - std::min(transfer->size, transfer->set_aside);
    promised += std::min(missing, UINT64_MAX - promised);
  }
  *space_left_ -= std::min(*space_left_, promised);
}

// A sender that knows this code offers the file again later.
void FileReceiver::evict(Instant now, Transfer& transfer) {
  const FileRefuse message{.transfer = transfer.id, .code = RefuseCode::kTooMany, .text = kNoPlace};
  static_cast<void>(send_control(now, endpoint_, transfer.connection, message));
  drop(transfer, "another sender needed its place, and not a byte of it had come");
}

// Windows shrink before the memory behind them runs out, and are no larger than the file.
std::uint64_t FileReceiver::choose_window(std::uint64_t size) const {
  const std::uint64_t left = options_.limits.block_memory - std::min(reserved_, options_.limits.block_memory);
  const std::uint64_t most = std::max(options_.limits.window, kSmallestWindow);
  const std::uint64_t useful = std::max(std::min(size, most) + kStreamHeaderSize, kSmallestWindow);
  return std::clamp(left / (2 * kMaxPieces), kSmallestWindow, std::min(useful, most));
}

void FileReceiver::on_offer(Instant now, Peer& peer, const FileOffer& offer) {
  if (Transfer* const transfer = find(offer.transfer)) {
    if (transfer->connection == 0 && !take_over(now, peer, *transfer, offer)) {
      refuse(now, peer, offer, {RefuseCode::kTooMany, "the file is another connection's"});
    }
    return;
  }
  if (std::erase(lost_, offer.transfer) > 0) {
    return refuse(now, peer, offer, {RefuseCode::kTooMany, "what had come of the file is lost: it has to start anew"});
  }
  if (const auto refusal = judge(now, peer, offer)) return refuse(now, peer, offer, *refusal);
  accept(now, peer, offer);
}

bool FileReceiver::may_send(const Peer& peer) const {
  return !options_.may_send || options_.may_send(peer.connection);
}

void FileReceiver::refuse(Instant now, const Peer& peer, const FileOffer& offer, const Refusal& why) {
  const FileRefuse message{.transfer = offer.transfer, .code = why.first, .text = why.second};
  static_cast<void>(send_control(now, endpoint_, peer.connection, message));
  observer_.on_file_refused(peer.connection, offer.name, why.second);
}

// The sender has renewed its connection: the transfer goes on where it was. It has a place already, counted for the
// sender's address, so that only the new connection's own limit is to be kept; no deadline is put off.
bool FileReceiver::take_over(Instant now, const Peer& peer, Transfer& transfer, const FileOffer& offer) {
  if (transfer.size != offer.size || transfer.address.prefix() != peer.address.prefix() || !may_send(peer))
    return false;
  if (places_.of_peer(peer.connection) >= places_.limits().of_a_peer) return false;
  places_.give_back(transfer.holder, transfer.address);
  places_.take(peer.connection, peer.address);
  transfer.connection = transfer.holder = peer.connection;
  transfer.address = peer.address;
  transfer.renewed_until.reset();
  send_accept(now, transfer);
  return true;
}

void FileReceiver::accept(Instant now, Peer& peer, const FileOffer& offer) {
  auto transfer = std::make_unique<Transfer>();
  transfer->file = next_file_++;
  transfer->id = offer.transfer;
  transfer->connection = transfer->holder = peer.connection;
  transfer->address = peer.address;
  transfer->name = acceptable_file_name(offer.name);
  transfer->offered = std::string(offer.name);
  transfer->size = offer.size;
  transfer->window = choose_window(offer.size);
  transfer->reserved = std::min(transfer->window * kMaxPieces, std::max(offer.size, kSmallestWindow));
  transfer->began_at = transfer->heard_at = now;
  reserved_ += transfer->reserved;
  accepted_bytes_ += offer.size;
  ++accepted_files_;
  if (space_left_) *space_left_ -= std::min(*space_left_, offer.size);
  places_.take(peer.connection, peer.address);
  store_.create(transfer->file, transfer->name, transfer->size, offer.attributes);
  transfers_.emplace(transfer->file, std::move(transfer));
}

void FileReceiver::send_accept(Instant now, const Transfer& transfer) {
  const FileAccept message{
      .transfer = transfer.id,
      .window = transfer.window,
      .files = static_cast<std::uint16_t>(std::min<std::size_t>(options_.limits.files_of_a_peer, UINT16_MAX))};
  static_cast<void>(send_control(now, endpoint_, transfer.connection, message));
}

}  // namespace godwit
