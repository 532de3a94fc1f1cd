// SPDX-License-Identifier: Apache-2.0
#include "worker/signing/checkpoint_signer.h"

#include <sodium.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/file.h"
#include "base/hex.h"

namespace sparkmill::signing {
namespace {

constexpr std::size_t kMaxKeyFile = 4096;
constexpr char kSchema[] = R"sql(
CREATE TABLE IF NOT EXISTS bttc_marks(signer BLOB NOT NULL, chain INTEGER NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(signer, chain)) WITHOUT ROWID;
)sql";

Result<Hash32> vote_hash(ByteView data, hashes::Kernel& hash) {
  const Bytes vote = bttc::vote(data);
  const std::uint64_t offsets[] = {0, vote.size()};
  Hash32 digest{};
  SPARKMILL_TRY(hash.hash(hashes::Algorithm::keccak256, {vote, offsets}, digest, StopToken()));
  return digest;
}

/// The chain that `data` names; 0 where it names none, which check_mark refuses.
std::uint64_t chain_of(ByteView data) {
  constexpr std::size_t kAt = 5 * sizeof(bttc::Word);
  if (data.size() < kAt + sizeof(bttc::Word)) return 0;
  bttc::Word word;
  std::copy_n(data.begin() + kAt, word.size(), word.begin());
  return bttc::number(word).value_or(0);
}

std::optional<bttc::Mark> read_mark(sqlite::Database& store, const bttc::Address& signer, std::uint64_t chain) {
  sqlite::Statement s = store.prepare("SELECT first, last, hash FROM bttc_marks WHERE signer = ?1 AND chain = ?2");
  if (!s.all(ByteView(signer), chain).step()) return std::nullopt;
  bttc::Mark mark{static_cast<std::uint64_t>(s.integer(0)), static_cast<std::uint64_t>(s.integer(1)), {}};
  const Bytes hash = s.blob(2);
  if (hash.size() != mark.hash.size()) throw sqlite::Failure(Status::corrupt, "a stored hash has the wrong length");
  std::copy(hash.begin(), hash.end(), mark.hash.begin());
  return mark;
}

}  // namespace

Result<bttc::Signer> load_validator_key(const std::filesystem::path& path, hashes::Kernel& hash) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return errno_error(errno, path.string());
  if ((s.st_mode & 077) != 0) {
    return fail(Status::refused, path.string() + ": others may read this key", "chmod 600 " + path.string());
  }
  SPARKMILL_ASSIGN(std::string text, read_text_file(path, kMaxKeyFile));
  std::string_view digits = text;
  while (!digits.empty() && (digits.back() == '\n' || digits.back() == '\r')) digits.remove_suffix(1);
  auto secret = array_from_hex<32>(digits, "the key");
  sodium_memzero(text.data(), text.size());
  // The error must not quote the file.
  if (!secret) return fail(Status::bad_input, path.string() + ": a validator's key is 64 hex digits");
  auto signer = bttc::Signer::from_secret(*secret, hash);
  sodium_memzero(secret->data(), secret->size());
  return signer;
}

Result<std::unique_ptr<CheckpointSigner>> CheckpointSigner::open(const std::filesystem::path& path, bttc::Signer signer,
                                                                 hashes::Kernel& hash) {
  SPARKMILL_ASSIGN(std::unique_ptr<sqlite::Database> store, sqlite::Database::open(path, true));
  SPARKMILL_TRY(sqlite::guarded(path.string(), [&]() -> Done {
    store->exec(kSchema);
    return done();
  }));
  return std::unique_ptr<CheckpointSigner>(new CheckpointSigner(std::move(store), std::move(signer), hash));
}

Result<SignedCheckpoint> CheckpointSigner::sign(ByteView data) {
  SignedCheckpoint out;
  SPARKMILL_ASSIGN(out.hash, vote_hash(data, hash_));
  return sqlite::guarded("marks of signed checkpoints", [&]() -> Result<SignedCheckpoint> {
    sqlite::Transaction transaction(*store_);
    const auto verdict = bttc::check_mark(read_mark(*store_, address(), chain_of(data)), data, out.hash);
    if (!verdict.ok) {
      out.reason = verdict.reason;
      out.detail = verdict.detail;
      return out;
    }
    const bttc::Mark& next = verdict.facts.next;
    store_->prepare("INSERT OR REPLACE INTO bttc_marks VALUES(?1, ?2, ?3, ?4, ?5)")
        .all(ByteView(address()), verdict.facts.bor_chain_id, next.start, next.end, ByteView(next.hash))
        .run();
    transaction.commit();  // on the disk: only now may a signature exist
    out.signature = signer_.sign_hash(out.hash);
    return out;
  });
}

}  // namespace sparkmill::signing
