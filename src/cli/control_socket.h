// A local socket through which `godwit top` reads what a running process does: whoever connects gets one text and the
// end. For the same user and root alone, whatever the mode of the folder.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace godwit::cli {

class ControlSocket {
 public:
  // Called on the socket's thread. Nothing: there is no answer now, and whoever has connected gets none.
  using Source = std::function<std::optional<std::string>()>;

  // Listens at `path`, in the place of a socket that nobody listens at any more. Errors: kInvalidArgument for a path
  // that is too long or at which something else stands, kSystem.
  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>> open(const std::string& path, Source source);
  // Removes the socket.
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  struct Listener;
  explicit ControlSocket(std::unique_ptr<Listener> listener);
  std::unique_ptr<Listener> listener_;
};

// What the process at `path` says now. Errors: kNotFound when nobody listens there, kPermission, kTimeout, kSystem.
[[nodiscard]] Result<std::string> read_control_socket(const std::string& path);

}  // namespace godwit::cli
