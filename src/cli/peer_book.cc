#include "cli/peer_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "cli/key_file.h"

namespace godwit::cli {
namespace {

constexpr std::size_t kLongestName = 63;
constexpr std::uintmax_t kLargestFile = 16 << 20;

bool is_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

std::unexpected<Error> file_failure(const std::string& what, const std::filesystem::path& path) {
  return failure(ErrorCode::kSystem, what + " " + path.string() + ": " + std::strerror(errno));
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(descriptor) == 0;
}

}  // namespace

bool is_peer_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || !is_letter(name.front())) return false;
  return std::ranges::all_of(name, [](char letter) {
    return is_letter(letter) || (letter >= '0' && letter <= '9') || letter == '-' || letter == '_';
  });
}

Result<std::filesystem::path> PeerBook::default_path() {
  auto key = default_key_path();
  if (!key)
    return failure(ErrorCode::kNotFound, "no place for names of peers: neither XDG_CONFIG_HOME nor HOME is set");
  return key->parent_path() / "peers";
}

Result<PeerBook> PeerBook::load(const std::filesystem::path& path) {
  PeerBook book;
  book.path_ = path;
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return book;
  std::ifstream file(path);
  if (!file || std::filesystem::file_size(path, failed) > kLargestFile || failed) {
    return failure(ErrorCode::kInvalidArgument, "cannot read the names of peers in " + path.string());
  }
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    KnownPeer peer;
    if (words >> peer.name >> peer.ticket && is_peer_name(peer.name)) book.set(std::move(peer));
  }
  return book;
}

const std::string* PeerBook::find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(peers_, name, {}, &KnownPeer::name);
  return found == peers_.end() || found->name != name ? nullptr : &found->ticket;
}

bool PeerBook::set(KnownPeer peer) {
  const auto place = std::ranges::lower_bound(peers_, peer.name, {}, &KnownPeer::name);
  if (place != peers_.end() && place->name == peer.name) {
    *place = std::move(peer);
    return true;
  }
  if (peers_.size() >= kMostPeers) return false;
  peers_.insert(place, std::move(peer));
  return true;
}

bool PeerBook::remove(std::string_view name) {
  return std::erase_if(peers_, [name](const KnownPeer& peer) { return peer.name == name; }) > 0;
}

Status PeerBook::save() const {
  std::string text;
  for (const KnownPeer& peer : peers_) text += peer.name + " " + peer.ticket + "\n";
  std::error_code failed;
  std::filesystem::create_directories(path_.parent_path(), failed);
  std::string temporary = path_.string() + ".XXXXXX";
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return file_failure("cannot write", path_);
  const bool written = write_all(descriptor, text) && ::rename(temporary.c_str(), path_.c_str()) == 0;
  const int error = errno;
  ::close(descriptor);
  if (written) return {};
  ::unlink(temporary.c_str());
  errno = error;
  return file_failure("cannot write", path_);
}

}  // namespace godwit::cli
