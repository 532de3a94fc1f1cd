// SPDX-License-Identifier: Apache-2.0
#include "base/keys/keys.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/file.h"
#include "base/hash.h"

namespace sparkmill::keys {

namespace {

constexpr std::size_t kSeedBytes = 32;
constexpr std::size_t kSecretBytes = crypto_sign_ed25519_SECRETKEYBYTES;
constexpr std::string_view kMagic = "SMKY";
constexpr std::uint16_t kVersion = 1;

// File layout, see keys.h.
constexpr std::size_t kSaltAt = 8;
constexpr std::size_t kOpsAt = 24;
constexpr std::size_t kMemoryAt = 32;
constexpr std::size_t kNonceAt = 40;
constexpr std::size_t kPayloadAt = 64;
constexpr std::size_t kChecksumAt = 112;
constexpr std::size_t kFileBytes = 120;
static_assert(kSaltAt + crypto_pwhash_argon2id_SALTBYTES == kOpsAt);
static_assert(kNonceAt + crypto_secretbox_NONCEBYTES == kPayloadAt);
static_assert(kPayloadAt + kSeedBytes + crypto_secretbox_MACBYTES == kChecksumAt);

// 64 MiB and three passes: about a fifth of a second, and the worker keeps to its memory budget.
constexpr std::uint64_t kOps = 3;
constexpr std::uint64_t kMemory = 64ull << 20;
// A damaged or hostile file must not make us hash for minutes.
constexpr std::uint64_t kMaxOps = 16;
constexpr std::uint64_t kMaxMemory = 1ull << 30;

void ensure_sodium() {
  static const int once = sodium_init();
  if (once < 0) std::abort();
}

std::uint8_t* locked_alloc(std::size_t n) {
  ensure_sodium();
  auto* p = static_cast<std::uint8_t*>(sodium_malloc(n));  // guarded, locked, wiped by sodium_free
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

/// A scratch buffer for secrets: locked while it lives, wiped after.
class LockedBuffer {
 public:
  explicit LockedBuffer(std::size_t n) : p_(locked_alloc(n)), n_(n) { std::fill_n(p_, n, std::uint8_t{0}); }
  ~LockedBuffer() { sodium_free(p_); }
  LockedBuffer(const LockedBuffer&) = delete;
  LockedBuffer& operator=(const LockedBuffer&) = delete;
  std::uint8_t* data() { return p_; }
  std::size_t size() const { return n_; }
  ByteView first(std::size_t n) const { return {p_, n}; }

 private:
  std::uint8_t* p_;
  std::size_t n_;
};

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

template <class T>
void put(std::uint8_t* at, T v) {
  std::memcpy(at, &v, sizeof v);
}
template <class T>
T get(const std::uint8_t* at) {
  T v{};
  std::memcpy(&v, at, sizeof v);
  return v;
}

void put_checksum(LockedBuffer& file) {
  const Hash32 h = sha256(file.first(kChecksumAt));
  std::memcpy(file.data() + kChecksumAt, h.data(), kFileBytes - kChecksumAt);
}

/// Argon2id of the passphrase into `key` (locked). False when there is not enough memory.
bool stretch(LockedBuffer& key, std::string_view passphrase, const std::uint8_t* file) {
  return crypto_pwhash(key.data(), key.size(), passphrase.data(), passphrase.size(), file + kSaltAt,
                       get<std::uint64_t>(file + kOpsAt),
                       static_cast<std::size_t>(get<std::uint64_t>(file + kMemoryAt)),
                       crypto_pwhash_ALG_ARGON2ID13) == 0;
}

Done encode(LockedBuffer& file, const std::uint8_t* seed, std::string_view passphrase) {
  std::uint8_t* p = file.data();
  std::memcpy(p, kMagic.data(), kMagic.size());
  put(p + 4, kVersion);
  put(p + 6, static_cast<std::uint8_t>(passphrase.empty() ? 0 : 1));
  if (passphrase.empty()) {
    std::memcpy(p + kPayloadAt, seed, kSeedBytes);
  } else {
    randombytes_buf(p + kSaltAt, kOpsAt - kSaltAt);
    randombytes_buf(p + kNonceAt, kPayloadAt - kNonceAt);
    put(p + kOpsAt, kOps);
    put(p + kMemoryAt, kMemory);
    LockedBuffer key(crypto_secretbox_KEYBYTES);
    if (!stretch(key, passphrase, p)) {
      return fail(Status::internal, "key file: not enough memory to stretch the passphrase", "free 64 MiB of memory");
    }
    crypto_secretbox_easy(p + kPayloadAt, seed, kSeedBytes, p + kNonceAt, key.data());
  }
  put_checksum(file);
  return done();
}

Error damaged(const std::string& path, const std::string& what) {
  return fail(Status::bad_input, path + ": " + what, "restore the key file from a copy, or name another with --key");
}

Done decode(std::uint8_t* seed, LockedBuffer& file, const std::string& path, std::string_view passphrase) {
  const std::uint8_t* p = file.data();
  if (std::memcmp(p, kMagic.data(), kMagic.size()) != 0) return damaged(path, "not a Sparkmill key file");
  const Hash32 h = sha256(file.first(kChecksumAt));
  if (sodium_memcmp(h.data(), p + kChecksumAt, kFileBytes - kChecksumAt) != 0) {
    return damaged(path, "damaged: the checksum does not match");
  }
  const auto version = get<std::uint16_t>(p + 4);
  if (version != kVersion) {
    return damaged(path, "key file version " + std::to_string(version) + ", this program reads version 1");
  }
  const std::uint8_t wrapped = p[6];
  if (wrapped > 1 || p[7] != 0) return damaged(path, "unknown kind of wrapping");
  if (wrapped == 0) {
    std::memcpy(seed, p + kPayloadAt, kSeedBytes);
    return done();
  }
  if (passphrase.empty()) {
    return fail(Status::refused, path + ": wrapped by a passphrase, and none was given",
                "give it with --passphrase-file FILE or the setting passphrase_file");
  }
  const auto ops = get<std::uint64_t>(p + kOpsAt);
  const auto memory = get<std::uint64_t>(p + kMemoryAt);
  if (ops < 1 || ops > kMaxOps || memory < 8192 || memory > kMaxMemory) {
    return damaged(path, "passphrase parameters out of range");
  }
  LockedBuffer key(crypto_secretbox_KEYBYTES);
  if (!stretch(key, passphrase, p)) {
    return fail(Status::internal, path + ": not enough memory to stretch the passphrase");
  }
  if (crypto_secretbox_open_easy(seed, p + kPayloadAt, kSeedBytes + crypto_secretbox_MACBYTES, p + kNonceAt,
                                 key.data()) != 0) {
    return fail(Status::refused, path + ": wrong passphrase",
                "check the passphrase file; a trailing newline is ignored");
  }
  return done();
}

/// Writes a temporary, then renames it without replacing anything: a crash leaves no half key under the final name.
Done write_new(const std::filesystem::path& path, const LockedBuffer& file) {
  std::error_code ec;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ec);
  const std::string temporary = path.string() + ".new." + std::to_string(::getpid());
  Fd f{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (f.fd < 0) return errno_error(errno, path.string());
  int err = 0;
  // The umask may only take rights away; fchmod makes the mode exact.
  if (::fchmod(f.fd, 0600) != 0) err = errno;
  const ByteView all = file.first(kFileBytes);
  if (err == 0) {
    const ssize_t n = ::write(f.fd, all.data(), all.size());
    if (n != static_cast<ssize_t>(all.size())) err = n < 0 ? errno : ENOSPC;
  }
  if (err == 0 && ::fsync(f.fd) != 0) err = errno;
  if (err == 0 && ::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    err = errno;
    if (err == EINVAL || err == ENOSYS) {  // a file system without the flag
      err = ::link(temporary.c_str(), path.c_str()) == 0 ? 0 : errno;
      ::unlink(temporary.c_str());
    }
  }
  if (err != 0) {
    ::unlink(temporary.c_str());
    if (err == EEXIST) {
      return fail(Status::refused, path.string() + ": exists already, and a key is never replaced",
                  "move it away first, or name another file with --key");
    }
    return errno_error(err, path.string());
  }
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  Fd d{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (d.fd >= 0) ::fsync(d.fd);
  return done();
}

Done read_guarded(LockedBuffer& file, const std::filesystem::path& path) {
  Fd f{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (f.fd < 0) {
    Error e = errno_error(errno, path.string());
    if (e.code == Status::not_found) e.hint = "make one with: sparkmill keys new --key " + path.string();
    return e;
  }
  struct stat st {};
  if (::fstat(f.fd, &st) != 0) return errno_error(errno, path.string());
  if (!S_ISREG(st.st_mode)) return damaged(path.string(), "not a regular file");
  if ((st.st_mode & 077) != 0) {
    return fail(Status::refused, path.string() + ": other users may read or change this key file",
                "chmod 600 " + path.string());
  }
  if (st.st_size != static_cast<off_t>(kFileBytes)) {
    return damaged(path.string(), std::to_string(st.st_size) + " bytes, a key file has 120");
  }
  std::size_t at = 0;
  while (at < kFileBytes) {
    const ssize_t n = ::read(f.fd, file.data() + at, kFileBytes - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path.string());
    if (n == 0) return damaged(path.string(), "shorter than its size says");
    at += static_cast<std::size_t>(n);
  }
  return done();
}

Bytes with_domain(std::string_view domain, ByteView message) {
  Bytes all;
  all.reserve(domain.size() + message.size());
  all.insert(all.end(), domain.begin(), domain.end());
  all.insert(all.end(), message.begin(), message.end());
  return all;
}

}  // namespace

SigningKey::~SigningKey() { sodium_free(secret_); }
SigningKey::SigningKey(SigningKey&& other) noexcept
    : secret_(std::exchange(other.secret_, nullptr)), public_(other.public_) {}
SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  std::swap(secret_, other.secret_);
  std::swap(public_, other.public_);
  return *this;
}

Signature SigningKey::sign(std::string_view domain, ByteView message) const {
  Signature out{};
  if (secret_ == nullptr || domain.empty()) std::abort();  // moved from, or a raw message: a programming error
  const Bytes all = with_domain(domain, message);
  crypto_sign_ed25519_detached(out.data(), nullptr, all.data(), all.size(), secret_);
  return out;
}

bool verify(const PublicKey& key, std::string_view domain, ByteView message, const Signature& signature) {
  ensure_sodium();
  const Bytes all = with_domain(domain, message);
  return crypto_sign_ed25519_verify_detached(signature.data(), all.data(), all.size(), key.data()) == 0;
}

KeyFile::~KeyFile() { sodium_free(seed_); }
KeyFile::KeyFile(KeyFile&& other) noexcept : seed_(std::exchange(other.seed_, nullptr)) {}
KeyFile& KeyFile::operator=(KeyFile&& other) noexcept {
  std::swap(seed_, other.seed_);
  return *this;
}

Result<KeyFile> KeyFile::create(const std::filesystem::path& path, std::string_view passphrase) {
  KeyFile key;
  key.seed_ = locked_alloc(kSeedBytes);
  randombytes_buf(key.seed_, kSeedBytes);
  LockedBuffer file(kFileBytes);
  SPARKMILL_TRY(encode(file, key.seed_, passphrase));
  SPARKMILL_TRY(write_new(path, file));
  sodium_mprotect_readonly(key.seed_);
  return key;
}

Result<KeyFile> KeyFile::load(const std::filesystem::path& path, std::string_view passphrase) {
  LockedBuffer file(kFileBytes);
  SPARKMILL_TRY(read_guarded(file, path));
  KeyFile key;
  key.seed_ = locked_alloc(kSeedBytes);
  SPARKMILL_TRY(decode(key.seed_, file, path.string(), passphrase));
  sodium_mprotect_readonly(key.seed_);
  return key;
}

KeyFile KeyFile::from_seed(const Hash32& seed) {
  KeyFile key;
  key.seed_ = locked_alloc(kSeedBytes);
  std::memcpy(key.seed_, seed.data(), kSeedBytes);
  sodium_mprotect_readonly(key.seed_);
  return key;
}

SigningKey KeyFile::role(std::string_view role) const {
  if (seed_ == nullptr || std::find(std::begin(kRoles), std::end(kRoles), role) == std::end(kRoles)) std::abort();
  LockedBuffer role_seed(kSeedBytes);
  const std::string info = "sparkmill/key/v1/" + std::string(role);
  hkdf_sha256({seed_, kSeedBytes}, {}, view(info), {role_seed.data(), kSeedBytes});
  SigningKey key;
  key.secret_ = locked_alloc(kSecretBytes);
  crypto_sign_ed25519_seed_keypair(key.public_.data(), key.secret_, role_seed.data());
  sodium_mprotect_readonly(key.secret_);
  return key;
}

}  // namespace sparkmill::keys
