// SPDX-License-Identifier: Apache-2.0
// Template files: any bytes either parse and can be rebuilt to the same bytes, or give an error that names the file.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "verify/template/template_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sparkmill;
  std::vector<std::uint64_t> aligned(size / 8 + 1);
  if (size != 0) std::memcpy(aligned.data(), data, size);
  const ByteView bytes(reinterpret_cast<const std::uint8_t*>(aligned.data()), size);
  const auto check = [](ByteView file) {
    const auto parsed = templates::parse(file, "input");
    if (!parsed) {
      if (parsed.error().message.find("input: ") != 0) std::abort();
      return;
    }
    const Bytes again = templates::build(parsed->header, file.subspan(templates::kHeaderBytes));
    if (!std::equal(again.begin(), again.end(), file.begin(), file.end())) std::abort();
    if (parsed->planes.count > 0) {
      const std::uint32_t v =
          match::score_word(parsed->planes.row(0), parsed->planes.row(parsed->planes.count - 1), parsed->planes.n);
      if ((v & 0xffff) > v >> 16 || v >> 16 > parsed->planes.n) std::abort();
    }
  };
  check(bytes);
  // The same with a right hash, so that what lies behind it is reached as well.
  if (size >= templates::kHeaderBytes) {
    templates::Header header;
    std::uint16_t n64 = 0;
    std::memcpy(&n64, data + 6, 2);
    header.n = std::uint32_t{n64} * 64;
    std::memcpy(&header.rows, data + 8, 4);
    const Bytes sealed = templates::build(header, bytes.subspan(templates::kHeaderBytes));
    check(sealed);
  }
  return 0;
}
