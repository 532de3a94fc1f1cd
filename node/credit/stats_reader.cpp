// SPDX-License-Identifier: Apache-2.0
#include "node/credit/stats_reader.h"

#include <zlib.h>

#include <charconv>
#include <optional>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::node::credit {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && is_space(s.front())) s.remove_prefix(1);
  while (!s.empty() && is_space(s.back())) s.remove_suffix(1);
  return s;
}

/// The element's name of "name attr=.." or "name/".
std::string_view tag_name(std::string_view tag) { return tag.substr(0, tag.find_first_of(" \t\r\n/", 1)); }

}  // namespace

Result<std::uint64_t> parse_micro(std::string_view text) {
  const Error bad = fail(Status::bad_input, "not a decimal number of credits");
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view part = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  const auto digits = [](std::string_view s) { return s.find_first_not_of("0123456789") == std::string_view::npos; };
  if (whole.empty() || whole.size() > 12 || !digits(whole) || !digits(part)) return bad;
  part = part.substr(0, 6);
  std::uint64_t value = 0;
  for (const char c : whole) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  for (std::size_t i = 0; i < 6; ++i)
    value = value * 10 + (i < part.size() ? static_cast<std::uint64_t>(part[i] - '0') : 0);
  return value;
}

struct StatsReader::Impl {
  explicit Impl(OnUser f, StatsLimits l) : on_user(std::move(f)), limits(l) {}
  ~Impl() {
    if (inflating) inflateEnd(&z);
  }

  Done unpack(ByteView bytes);
  Done scan(std::string_view text);
  Done tag_ended();
  Done value(std::string_view name, std::string_view text);
  void opened();
  void closed();
  void skip(const std::string& why) {
    if (problem.empty()) problem = why;
  }
  std::string where() const { return "line " + std::to_string(line) + ", byte " + std::to_string(at); }

  OnUser on_user;
  StatsLimits limits;
  StatsSummary summary;
  Sha256 hash;
  std::uint64_t packed = 0;
  // gzip
  std::optional<bool> gzip;  ///< unknown until two bytes are there
  Bytes head;
  bool inflating = false;
  bool member_ended = false;
  z_stream z{};
  // text, position of the next byte
  std::uint64_t at = 0;
  std::uint64_t line = 1;
  // scanner
  bool in_tag = false;
  std::string tag;   ///< between '<' and '>'
  std::string body;  ///< since the last tag, inside a record only
  std::size_t record = 0;
  bool in_record = false;
  bool seen_users = false;
  std::string element;    ///< open child of the record; empty: none
  std::size_t depth = 0;  ///< elements of that same name within it
  std::string began;
  std::string problem;
  std::optional<std::uint64_t> id;
  std::optional<std::uint64_t> total;
  std::optional<Id16> cpid;
};

void StatsReader::Impl::opened() {
  in_record = true;
  record = 0;
  element.clear();
  began = where();
  problem.clear();
  id.reset();
  total.reset();
  cpid.reset();
}

void StatsReader::Impl::closed() {
  in_record = false;
  if (problem.empty() && !id) problem = "no <id>";
  if (problem.empty() && !total) problem = "no <total_credit>";
  if (problem.empty() && !cpid) problem = "no <cpid>";
  if (problem.empty()) {
    ++summary.users;
    on_user({*id, *total, *cpid});
    return;
  }
  if (summary.skipped++ == 0) {
    summary.first_skipped =
        "the record that begins at " + began + (id ? " (user " + std::to_string(*id) + ")" : "") + ": " + problem;
  }
}

Done StatsReader::Impl::value(std::string_view name, std::string_view raw) {
  const std::string_view text = trimmed(raw);
  // A second <cpid> or <total_credit> can only be smuggled in through a name that was not escaped.
  if (name == "id") {
    std::uint64_t n = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (id) return skip("a second <id>"), done();
    if (bad != std::errc() || end != text.data() + text.size() || n == 0 || n >> 63 != 0)
      return skip("<id> is not a positive number"), done();
    id = n;
  } else if (name == "total_credit") {
    if (total) return skip("a second <total_credit>"), done();
    const auto micro = parse_micro(text);
    if (!micro) return skip("<total_credit>: " + micro.error().message), done();
    total = *micro;
  } else if (name == "cpid") {
    if (cpid) return skip("a second <cpid>"), done();
    const auto hex = array_from_hex<16>(text, "<cpid>");
    if (!hex) return skip(hex.error().message), done();
    cpid = *hex;
  }
  return done();
}

Done StatsReader::Impl::tag_ended() {
  if (tag.empty() || tag.front() == '?' || tag.front() == '!') return done();
  const bool closing = tag.front() == '/';
  const bool empty = tag.back() == '/';
  const std::string_view name = closing ? trimmed(std::string_view(tag).substr(1)) : tag_name(tag);
  if (!in_record) {
    if (name == "users") seen_users = true;
    if (name == "user" && !closing && !empty) opened();
    return done();
  }
  if (!element.empty()) {
    if (closing && name == "user") {
      skip("<" + element + "> is not closed");
      return closed(), done();
    }
    if (name != element) return done();
    if (!closing) return depth += empty ? 0 : 1, done();
    if (depth > 0) return --depth, done();
    element.clear();
    return value(name, body);
  }
  if (closing && name == "user") return closed(), done();
  if (!closing && name == "user")
    return fail(Status::bad_input, where() + ": <user> inside the record that begins at " + began,
                "the export is damaged or not a db_dump file");
  if (closing || empty) return done();
  element = name;
  depth = 0;
  body.clear();
  return done();
}

Done StatsReader::Impl::scan(std::string_view text) {
  for (const char c : text) {
    ++at;
    if (c == '\n') ++line;
    if (in_record && ++record > limits.record_bytes) {
      return fail(Status::too_large,
                  where() + ": a record of more than " + std::to_string(limits.record_bytes) + " bytes");
    }
    if (in_tag) {
      if (c == '>') {
        in_tag = false;
        SPARKMILL_TRY(tag_ended());
        tag.clear();
      } else if (c == '<') {
        tag.clear();  // a stray '<' in text that was not escaped
      } else if (tag.size() >= 4096) {
        return fail(Status::bad_input, where() + ": a tag of more than 4096 bytes", "is this a stats/user file?");
      } else {
        tag += c;
      }
    } else if (c == '<') {
      in_tag = true;
    } else if (in_record && !element.empty()) {
      body += c;
    }
  }
  if (at > limits.text_bytes) {
    return fail(Status::too_large,
                where() + ": the export is longer than " + std::to_string(limits.text_bytes) + " bytes");
  }
  return done();
}

Done StatsReader::Impl::unpack(ByteView bytes) {
  if (!*gzip) return scan(text(bytes));
  std::array<std::uint8_t, 32u << 10> out{};
  z.next_in = const_cast<Bytef*>(bytes.data());
  z.avail_in = static_cast<uInt>(bytes.size());
  const auto damaged = [this](const char* why) {
    return fail(Status::corrupt, "packed byte " + std::to_string(packed - z.avail_in) + ": " + why,
                "download it again");
  };
  for (;;) {
    if (member_ended) {
      // Several members are one file (RFC 1952 2.2); zeros after the last one are padding.
      while (z.avail_in > 0 && *z.next_in == 0) ++z.next_in, --z.avail_in;
      if (z.avail_in == 0) return done();
      if (inflateReset(&z) != Z_OK) return damaged("zlib cannot go on");
      member_ended = false;
    }
    z.next_out = out.data();
    z.avail_out = static_cast<uInt>(out.size());
    const int code = inflate(&z, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      return damaged(z.msg != nullptr ? z.msg : "not gzip");
    }
    SPARKMILL_TRY(scan(text(ByteView(out.data(), out.size() - z.avail_out))));
    member_ended = code == Z_STREAM_END;
    if (member_ended) continue;
    if (z.avail_in == 0 && z.avail_out > 0) return done();
    if (code == Z_BUF_ERROR) return damaged("zlib makes no progress");
  }
}

StatsReader::StatsReader(OnUser on_user, StatsLimits limits)
    : impl_(std::make_unique<Impl>(std::move(on_user), limits)) {}

StatsReader::~StatsReader() = default;

Done StatsReader::feed(ByteView bytes) {
  Impl& s = *impl_;
  s.packed += bytes.size();
  if (s.packed > s.limits.packed_bytes) {
    return fail(Status::too_large, "the file is longer than " + std::to_string(s.limits.packed_bytes) + " bytes");
  }
  s.hash.update(bytes);
  if (s.gzip) return s.unpack(bytes);
  s.head.insert(s.head.end(), bytes.begin(), bytes.end());
  if (s.head.size() < 2) return done();
  s.gzip = s.head[0] == 0x1f && s.head[1] == 0x8b;
  if (*s.gzip) {
    if (inflateInit2(&s.z, 15 + 16) != Z_OK) return fail(Status::internal, "zlib does not start");
    s.inflating = true;
  }
  return s.unpack(s.head);
}

Result<StatsSummary> StatsReader::finish() {
  Impl& s = *impl_;
  if (s.gzip == true && !s.member_ended) {
    return fail(Status::corrupt, "packed byte " + std::to_string(s.packed) + ": the file ends in the middle",
                "download it again");
  }
  if (s.in_record || s.in_tag) {
    return fail(
        Status::corrupt,
        s.where() + ": the file ends inside " + (s.in_record ? "the record that begins at " + s.began : "a tag"),
        "download it again");
  }
  if (!s.seen_users && s.summary.users + s.summary.skipped == 0) {
    return fail(Status::bad_input, "no <users> and no <user> in it",
                "name the project's stats/user.gz (or user.xml.gz)");
  }
  s.summary.hash = s.hash.finish();
  return s.summary;
}

}  // namespace sparkmill::node::credit
