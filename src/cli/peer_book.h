// Names for tickets, in a file of the user's configuration folder: one `NAME TICKET` a line. The names stand wherever a
// ticket does. A file that was damaged by hand loses the damaged lines, and nothing else.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace godwit::cli {

struct KnownPeer {
  std::string name;
  std::string ticket;
};

// 1 to 63 letters, digits, '-' and '_', beginning with a letter: no address, and no ticket.
[[nodiscard]] bool is_peer_name(std::string_view name);

class PeerBook {
 public:
  static constexpr std::size_t kMostPeers = 10'000;

  // $XDG_CONFIG_HOME/godwit/peers, or ~/.config/godwit/peers. kNotFound without either.
  [[nodiscard]] static Result<std::filesystem::path> default_path();
  // A file that does not exist is an empty book. Errors: one that cannot be read.
  [[nodiscard]] static Result<PeerBook> load(const std::filesystem::path& path);

  // In the order of their names.
  [[nodiscard]] const std::vector<KnownPeer>& peers() const { return peers_; }
  [[nodiscard]] const std::string* find(std::string_view name) const;
  // Replaces one of the same name. False when the book is full.
  bool set(KnownPeer peer);
  // False when there is none.
  bool remove(std::string_view name);
  // Into the file it was loaded from, which is replaced at once as a whole, for its owner alone.
  [[nodiscard]] Status save() const;

 private:
  std::filesystem::path path_;
  std::vector<KnownPeer> peers_;
};

}  // namespace godwit::cli
