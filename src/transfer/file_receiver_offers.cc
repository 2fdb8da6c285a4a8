// What a FileReceiver makes of offers: who may have a place, of the peer's and its address's quota, of the limits of
// this process and of the disk.
#include <algorithm>
#include <utility>

#include "transfer/file_name.h"
#include "transfer/file_receiver.h"
#include "transfer/file_receiver_parts.h"

namespace godwit {
namespace {

// As much of a total is nobody's share: whoever comes first may have it.
constexpr std::uint64_t kFewFiles = 16;
constexpr std::uint64_t kFewBytes = std::uint64_t{16} << 20;
// The system is asked for its free space this often at most.
constexpr Duration kSpaceInterval = 1s;
// What was kept of one file is read this often at most, whatever its sender offers.
constexpr Duration kKeptInterval = 2s;
constexpr std::string_view kNoPlace = "too many files are under way";
// Beyond so much unbegun work of the disk no offer is taken: a peer that offers and cancels must not pile it up.
constexpr std::size_t kMaxDiskBacklog = 4096;

// Whether the source at `theirs` holds so much that the one at `own` may take from it: not less than that would have
// then. Of one and the same source every transfer counts the same.
bool holds_enough(const SourceShares& shares, const SocketAddress& theirs, const SocketAddress& own,
                  std::uint64_t wanted) {
  if (theirs.prefix() == own.prefix()) return true;
  if (theirs.network() == own.network()) return shares.of_prefix(theirs) >= shares.of_prefix(own) + wanted;
  return shares.of_network(theirs) >= shares.of_network(own) + wanted;
}

}  // namespace

// What an offer needs, for make_room().
struct FileReceiver::Claim {
  const SourceShares& shares;
  std::uint64_t amount = 0;
  std::function<std::uint64_t()> free;  // what is nobody's
  std::function<bool()> enough;
  std::function<std::uint64_t(const Transfer&)> held;
};

// A limit on all that this process accepts.
struct FileReceiver::Total {
  const SourceShares& shares;
  std::uint64_t limit = 0;
  std::uint64_t few = 0;
  [[nodiscard]] std::uint64_t left() const { return limit - std::min(limit, shares.taken()); }
};

std::optional<FileReceiver::Refusal> FileReceiver::judge(Instant now, const Peer& peer, const FileOffer& offer) {
  if (!may_send(peer.connection)) return Refusal{RefuseCode::kNotAllowed, "this peer is not among those that may send"};
  const auto wrong = offer.group == 0 ? refuse_file_name(offer.name) : refuse_file_path(offer.name);
  if (wrong) return Refusal{RefuseCode::kName, std::string(*wrong)};
  if (offer.group != 0 && is_folder_path(offer.name) && offer.size != 0) {
    return Refusal{RefuseCode::kName, "a folder has no bytes of its own"};
  }
  if (options_.one_file && offer.group != 0) {
    return Refusal{RefuseCode::kNotAllowed, "this receiver takes one file, and no folder"};
  }
  if (options_.one_file && one_taken_) {
    return Refusal{RefuseCode::kNotAllowed, "this receiver takes one file, and has taken another"};
  }
  if (offer.size > options_.limits.largest_file) {
    return Refusal{RefuseCode::kTooLarge, "the file is larger than this receiver takes"};
  }
  if (auto refusal = judge_totals(now, peer, offer.size)) return refusal;
  if (!has_place(now, peer)) return Refusal{RefuseCode::kTooMany, std::string(kNoPlace)};
  if (!has_space(now, peer, offer.size)) return Refusal{RefuseCode::kNoSpace, "no space left on the device"};
  return std::nullopt;
}

// A stranger must not use up what all together may send: each source leaves as much to others as it has had, unless it
// is next to nothing. Whom the operator has chosen by name may have all.
bool FileReceiver::total_has(const Total& total, const Peer& peer, std::uint64_t amount) const {
  const std::uint64_t left = total.left();
  if (left == 0 || amount > left) return false;
  if (options_.may_send || amount <= total.shares.room(peer.address, left)) return true;
  const std::uint64_t own = total.shares.of_network(peer.address);
  return own <= total.few && amount <= total.few - own;
}

std::optional<FileReceiver::Refusal> FileReceiver::judge_totals(Instant now, const Peer& peer, std::uint64_t size) {
  const auto judge = [&](const Total& total, std::uint64_t amount, const auto& held,
                         std::string_view what) -> std::optional<Refusal> {
    const bool fits = make_room(now, peer,
                                {.shares = total.shares,
                                 .amount = amount,
                                 .free = [&total] { return total.left(); },
                                 .enough = [&] { return total_has(total, peer, amount); },
                                 .held = held});
    if (fits) return std::nullopt;
    std::string why = "this receiver takes no more " + std::string(what);
    if (total.left() > 0 && amount <= total.left()) why += " from your network";
    return Refusal{RefuseCode::kTooLarge, std::move(why)};
  };
  const FileReceiverLimits& limits = options_.limits;
  if (limits.all_bytes) {
    const Total total{.shares = bytes_, .limit = *limits.all_bytes, .few = kFewBytes};
    if (auto refusal = judge(total, size, [](const Transfer& transfer) { return transfer.size; }, "bytes")) {
      return refusal;
    }
  }
  if (!limits.all_files) return std::nullopt;
  const Total total{.shares = files_, .limit = *limits.all_files, .few = kFewFiles};
  return judge(total, 1, [](const Transfer&) { return std::uint64_t{1}; }, "files");
}

// Whatever is claimed and not used can be claimed by others. A sender that keeps up the least rate loses nothing, and
// to nobody that would then hold more than it does.
bool FileReceiver::make_room(Instant now, const Peer& peer, const Claim& claim) {
  if (claim.enough()) return true;
  const auto may_lose = [&](const Transfer& transfer) {
    if (transfer.holder == peer.connection || claim.held(transfer) == 0 || !transfer.idle(now)) return false;
    const std::uint64_t together = claim.free() + claim.shares.of_network(transfer.address);
    // Half of all, of which a source is promised no more. Somewhat less counts as half: what is free on a disk has
    // grown or shrunk a little since the other source was promised its own half.
    const std::uint64_t wanted = std::min(claim.amount, together / 2 + together % 2 - together / 64);
    return holds_enough(claim.shares, transfer.address, peer.address, wanted);
  };
  std::uint64_t most = claim.free();
  for (const auto& [file, transfer] : transfers_) {
    if (may_lose(*transfer)) most += std::min(claim.held(*transfer), UINT64_MAX - most);
  }
  if (most < claim.amount) return false;
  while (!claim.enough()) {
    Transfer* victim = nullptr;
    std::pair<std::uint64_t, std::uint64_t> largest;
    for (const auto& [file, transfer] : transfers_) {
      if (!may_lose(*transfer)) continue;
      const std::pair rank(claim.shares.of_network(transfer->address), claim.held(*transfer));
      if (victim != nullptr && rank <= largest) continue;
      victim = transfer.get();
      largest = rank;
    }
    if (victim == nullptr) return false;
    evict(now, *victim);
  }
  return true;
}

// A place of the quota, perhaps one that another gives up.
bool FileReceiver::has_place(Instant now, const Peer& peer) {
  if (store_.pending() >= kMaxDiskBacklog) return false;
  while (places_.judge(peer.connection, peer.address) != PlaceQuota::Verdict::kFree) {
    Transfer* const victim = choose_place(now, peer);
    if (victim == nullptr) return false;
    evict(now, *victim);
  }
  return true;
}

// Where its address, or all together, have no place left: that of a transfer whose sender does not use it, of a source
// with more, or one without a byte of a peer with more.
FileReceiver::Transfer* FileReceiver::choose_place(Instant now, const Peer& peer) {
  const std::size_t own = places_.of_peer(peer.connection);
  if (own >= places_.limits().of_a_peer) return nullptr;
  Transfer* victim = nullptr;
  std::pair<std::uint64_t, std::size_t> largest;
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->holder == peer.connection || transfer->finishing) continue;
    const std::size_t theirs = places_.of_peer(transfer->holder);
    if (!transfer->idle(now) && (transfer->begun || theirs <= own + 1)) continue;
    if (!holds_enough(places_.shares(), transfer->address, peer.address, 1)) continue;
    const std::pair rank(places_.shares().of_network(transfer->address), theirs);
    if (victim != nullptr && rank <= largest) continue;
    victim = transfer.get();
    largest = rank;
  }
  return victim;
}

// Promises are kept account of, so that files that fit only one by one are not accepted together, and a stranger's
// offers do not make this ask the system each time. Of what is left a source is promised no more than its share. A
// larger file is taken all the same, and its room as its bytes come: others may be faster.
bool FileReceiver::has_space(Instant now, const Peer& peer, std::uint64_t bytes) {
  if (!space_asked_at_ || now >= *space_asked_at_ + kSpaceInterval) ask_for_space(now);
  if (!space_left_) return true;
  std::uint64_t not_promised = 0;  // of what its own source has offered
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->address.network() != peer.address.network()) continue;
    not_promised += std::min(transfer->missing() - transfer->promised, UINT64_MAX - not_promised);
  }
  return make_room(now, peer,
                   {.shares = space_,
                    .amount = bytes,
                    .free = [this] { return *space_left_; },
                    .enough = [&] { return bytes <= *space_left_ && not_promised <= *space_left_ - bytes; },
                    .held = [](const Transfer& transfer) { return transfer.promised; }});
}

void FileReceiver::ask_for_space(Instant now) {
  ++space_asked_;
  space_asked_at_ = now;
  space_left_ = store_.free_bytes();
  if (!space_left_) return;
  *space_left_ -= std::min(*space_left_, space_.taken());
}

// A sender that knows this code offers the file again later.
void FileReceiver::evict(Instant now, Transfer& transfer) {
  const FileRefuse message{.transfer = transfer.id, .code = RefuseCode::kTooMany, .text = kNoPlace};
  static_cast<void>(send_control(now, endpoint_, transfer.connection, message));
  drop(transfer,
       transfer.begun ? "another sender needed its place, and next to nothing of it came"
                      : "another sender needed its place, and not a byte of it had come",
       false);
}

// The transport keeps the window of a transfer where it grants each stream no more than that: only while memory is
// short does a sender whose streams the transport holds back need this protocol's credit.
bool FileReceiver::is_held_by_transport(const Peer& peer, const Transfer& transfer) {
  if (!peer.inbox.by_hand()) return false;
  return std::min(peer.inbox.flow()->stream, transfer.size + kStreamHeaderSize) <= transfer.window;
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
  std::string kept_as = kept_name(peer, offer);
  if (!free_kept(now, peer, offer, kept_as)) {
    return refuse(now, peer, offer, {RefuseCode::kTooMany, "the file is under way already, or was a moment ago"});
  }
  if (const auto refusal = judge(now, peer, offer)) return refuse(now, peer, offer, *refusal);
  accept(now, peer, offer, std::move(kept_as));
}

// What was kept belongs to the key that its sender has proved; where none is proved, to the host. Empty when the sender
// does not want to go on from anything.
std::string FileReceiver::kept_name(const Peer& peer, const FileOffer& offer) const {
  if ((offer.resume & FileOffer::kResume) == 0 || offer.group != 0 || options_.one_file) return {};
  const auto key = options_.proven_key ? options_.proven_key(peer.connection) : std::nullopt;
  FileHash hash;
  hash.update(as_bytes(std::string_view("godwit partial file")));
  hash.update(as_bytes(key ? key->to_hex() : peer.address.prefix().to_string()));
  hash.update(as_bytes(offer.name));
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  constexpr std::size_t kKeptName = 16;
  const auto digest = hash.finish();
  std::string name;
  for (std::size_t i = 0; i < kKeptName; ++i) name += kLetters[digest[i] % kLetters.size()];
  return name;
}

// A sender that was killed comes back before its old connection is given up. Who has proved nothing has to wait until
// that is silent: it may be somebody else on the same host. False when it is to come back later.
bool FileReceiver::free_kept(Instant now, const Peer& peer, const FileOffer& offer, std::string& kept_as) {
  if (kept_as.empty()) return true;
  constexpr Duration kSilence = 3s;
  for (const auto& [file, transfer] : transfers_) {
    if (transfer->kept_as != kept_as) continue;
    if (transfer->connection == peer.connection && (offer.resume & FileOffer::kAnew) != 0) {
      // Its sender has compared, and holds another file.
      store_.discard(transfer->file);
      uncount(*transfer);
      return true;
    }
    // The same name twice in one go: the second one is not kept.
    if (transfer->connection == peer.connection || transfer->finishing) {
      kept_as.clear();
      return true;
    }
    const bool proven = options_.proven_key && options_.proven_key(peer.connection);
    if (!proven && now < transfer->heard_at + kSilence) return false;
    fail(now, *transfer, "its sender goes on with it over another connection", true);
    break;
  }
  return std::ranges::none_of(
      kept_read_, [&](const auto& read) { return read.first == kept_as && now < read.second + kKeptInterval; });
}

bool FileReceiver::may_send(ConnectionId connection) const {
  return !options_.may_send || options_.may_send(connection);
}

void FileReceiver::refuse(Instant now, const Peer& peer, const FileOffer& offer, const Refusal& why) {
  const FileRefuse message{.transfer = offer.transfer, .code = why.first, .text = why.second};
  static_cast<void>(send_control(now, endpoint_, peer.connection, message));
  observer_.on_file_refused(peer.connection, offer.name, why.second);
}

// The sender has renewed its connection: the transfer goes on where it was. It has a place already, counted for the
// sender's address, so that only the new connection's own limit is to be kept; no deadline is put off.
bool FileReceiver::take_over(Instant now, const Peer& peer, Transfer& transfer, const FileOffer& offer) {
  if (transfer.size != offer.size || transfer.address.prefix() != peer.address.prefix() || !may_send(peer.connection))
    return false;
  if (places_.of_peer(peer.connection) >= places_.limits().of_a_peer) return false;
  places_.give_back(transfer.holder, transfer.address);
  places_.take(peer.connection, peer.address);
  transfer.connection = transfer.holder = peer.connection;
  transfer.address = peer.address;
  transfer.renewed_until.reset();
  transfer.held_by_transport = is_held_by_transport(peer, transfer);
  send_accept(now, transfer);
  return true;
}

void FileReceiver::accept(Instant now, Peer& peer, const FileOffer& offer, std::string kept_as) {
  auto transfer = std::make_unique<Transfer>();
  one_taken_ = true;
  transfer->file = next_file_++;
  transfer->id = offer.transfer;
  transfer->connection = transfer->holder = peer.connection;
  transfer->address = peer.address;
  transfer->name = offer.group == 0 ? acceptable_file_name(offer.name) : acceptable_file_path(offer.name);
  transfer->offered = std::string(offer.name);
  transfer->size = offer.size;
  transfer->window = choose_window(offer.size);
  transfer->held_by_transport = is_held_by_transport(peer, *transfer);
  transfer->reserved = std::min(transfer->window * kMaxPieces, std::max(offer.size, kSmallestWindow));
  transfer->began_at = transfer->heard_at = now;
  reserved_ += transfer->reserved;
  transfer->rate.start(now);
  if (options_.limits.all_bytes) bytes_.take(peer.address, offer.size);
  if (options_.limits.all_files) files_.take(peer.address, 1);
  if (space_left_) {
    transfer->promised = std::min(offer.size, space_.room(peer.address, *space_left_));
    space_.take(peer.address, transfer->promised);
    *space_left_ -= transfer->promised;
  }
  places_.take(peer.connection, peer.address);
  transfer->kept_as = std::move(kept_as);
  store_.create(transfer->file, {.name = transfer->name,
                                 .size = transfer->size,
                                 .attributes = offer.attributes,
                                 .group = offer.group,
                                 .kept_as = transfer->kept_as,
                                 .anew = (offer.resume & FileOffer::kAnew) != 0});
  transfers_.emplace(transfer->file, std::move(transfer));
}

void FileReceiver::send_accept(Instant now, const Transfer& transfer) {
  const FileAccept message{
      .transfer = transfer.id,
      .window = transfer.told_window(),
      .files = static_cast<std::uint16_t>(std::min<std::size_t>(options_.limits.files_of_a_peer, UINT16_MAX)),
      .held = transfer.held,
      .held_hash = transfer.held_hash};
  static_cast<void>(send_control(now, endpoint_, transfer.connection, message));
}

}  // namespace godwit
