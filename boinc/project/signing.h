// SPDX-License-Identifier: Apache-2.0
// Signatures as BOINC's client checks them (specs/boinc.md 2.5, 2.6): RSA with 1024 bits over the hex text of an MD5.
// Both are weak by today's measure and fixed by the client; what must be trusted carries a signature of ours inside.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace sparkmill::boinc::project {

/// Lower-case hex of the MD5 of `bytes`.
std::string md5_hex(ByteView bytes);
inline std::string md5_hex(std::string_view text) { return md5_hex(view(text)); }

/// MD5 and length of a file, read in pieces. Errors: not_found, io_error.
struct FileSum {
  std::string md5;
  std::uint64_t nbytes = 0;
};
Result<FileSum> sum_file(const std::filesystem::path& path);

/// An RSA key pair in BOINC's text form.
class SigningKey {
 public:
  static SigningKey generate();
  /// Errors: bad_input for anything but a whole private key whose parts fit together.
  static Result<SigningKey> from_private_text(std::string_view text);
  /// Reads `folder/NAME_private`, or makes the pair: `NAME_private` with owner-only rights and `NAME_public`.
  /// Errors: refused when others may read the private key; bad_input, io_error.
  static Result<SigningKey> load_or_create(const std::filesystem::path& folder, const std::string& name);

  std::string public_text() const;   ///< "1024", modulus and exponent in lines of 64 digits, "."
  std::string private_text() const;  ///< as above with eight numbers; secret
  /// Four lines of 64 hex digits and a line ".", ending without a line break.
  std::string sign(std::string_view text) const { return sign_md5(md5_hex(text)); }
  std::string sign_md5(std::string_view md5) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

/// The text that an upload certificate signs.
std::string upload_text(std::string_view name, std::uint64_t max_nbytes);

/// True when `signature` (white space is ignored) was made over `text` by the owner of `public_text`.
bool signature_holds(std::string_view public_text, std::string_view text, std::string_view signature);

}  // namespace sparkmill::boinc::project
