// SPDX-License-Identifier: Apache-2.0
// Readers of feature files: JSON of data/faces.json's shape, CSV, .npy. Strict, limited, told apart by content.
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "verify/template/population.h"

namespace sparkmill::templates {

namespace {

constexpr std::size_t kMaxDimension = 4096;
constexpr std::size_t kMaxCount = 1u << 24;
constexpr std::size_t kMaxValues = 1u << 28;
constexpr std::size_t kMaxVariant = 64;

Error bad(std::string_view name, const std::string& what, std::string hint = {}) {
  return fail(Status::bad_input, std::string(name) + ": " + what, std::move(hint));
}

/// Adds one value; false when it is not a finite float.
bool push_value(Features& f, double v) {
  const auto narrow =
      std::abs(v) <= static_cast<double>(std::numeric_limits<float>::max()) ? static_cast<float>(v) : HUGE_VALF;
  if (!std::isfinite(narrow)) return false;
  f.values.push_back(narrow);
  return true;
}

Done check_size(std::string_view name, std::uint64_t rows, std::uint64_t dimension) {
  if (dimension == 0 || dimension > kMaxDimension) {
    return bad(name, std::to_string(dimension) + " values a row, expected 1 to " + std::to_string(kMaxDimension));
  }
  if (rows == 0) return bad(name, "no rows");
  if (rows > kMaxCount || rows * dimension > kMaxValues) {
    return fail(Status::too_large, std::string(name) + ": " + std::to_string(rows) + " rows of " +
                                       std::to_string(dimension) + " values are over the limit of " +
                                       std::to_string(kMaxValues) + " values");
  }
  return done();
}

// ---- JSON ----

using Json = nlohmann::json;

/// An optional small integer of a row.
Done json_int(const Json& row, const char* key, const std::string& place, int& out) {
  const auto it = row.find(key);
  if (it == row.end()) return done();
  if (!it->is_number_integer() || *it < -1 || *it > std::numeric_limits<int>::max()) {
    return bad(place, std::string(key) + " is not a whole number from -1 up");
  }
  out = it->get<int>();
  return done();
}

Done json_row(const Json& row, std::string_view name, std::size_t index, Features& f) {
  const std::string place = std::string(name) + ": rows[" + std::to_string(index) + "]";
  if (!row.is_object()) return bad(place, "is not an object");
  for (const auto& [key, value] : row.items()) {
    if (key != "person" && key != "photo" && key != "variant" && key != "descriptor") {
      return bad(place, "unknown key \"" + key.substr(0, 40) + '"', "known keys: person, photo, variant, descriptor");
    }
  }
  Features::Label label;
  SPARKMILL_TRY(json_int(row, "person", place, label.person));
  SPARKMILL_TRY(json_int(row, "photo", place, label.photo));
  if (const auto it = row.find("variant"); it != row.end()) {
    if (!it->is_string() || it->get_ref<const std::string&>().size() > kMaxVariant) {
      return bad(place, "variant is not a text of at most " + std::to_string(kMaxVariant) + " bytes");
    }
    label.variant = it->get<std::string>();
  }
  const auto values = row.find("descriptor");
  if (values == row.end() || !values->is_array()) return bad(place, "has no descriptor (an array of numbers)");
  if (values->size() != f.dimension) {
    return bad(place, "descriptor has " + std::to_string(values->size()) + " values, dimension says " +
                          std::to_string(f.dimension));
  }
  for (std::size_t j = 0; j < values->size(); ++j) {
    const Json& v = (*values)[j];
    if (!v.is_number() || !push_value(f, v.get<double>())) {
      return bad(place, "descriptor[" + std::to_string(j) + "] is not a finite number");
    }
  }
  f.labels.push_back(std::move(label));
  return done();
}

Result<Features> read_json(ByteView content, std::string_view name) {
  Json root;
  try {
    root = Json::parse(content.begin(), content.end());
  } catch (const Json::exception& e) {
    return bad(name, std::string("not valid JSON: ") + e.what());
  }
  if (!root.is_object()) return bad(name, "not a JSON object");
  for (const auto& [key, value] : root.items()) {
    if (key != "source" && key != "dimension" && key != "rows") {
      return bad(name, "unknown key \"" + key.substr(0, 40) + '"', "known keys: source, dimension, rows");
    }
  }
  const auto dimension = root.find("dimension");
  const auto rows = root.find("rows");
  if (dimension == root.end() || !dimension->is_number_unsigned())
    return bad(name, "dimension is missing or not a count");
  if (rows == root.end() || !rows->is_array()) return bad(name, "rows is missing or not an array");
  SPARKMILL_TRY(check_size(name, rows->size(), dimension->get<std::uint64_t>()));
  Features f;
  f.dimension = dimension->get<std::uint32_t>();
  for (std::size_t i = 0; i < rows->size(); ++i) SPARKMILL_TRY(json_row((*rows)[i], name, i, f));
  return f;
}

// ---- CSV ----

Done csv_line(std::string_view line, std::string_view name, std::size_t number, Features& f) {
  const std::string place = std::string(name) + ": line " + std::to_string(number);
  std::size_t columns = 0;
  for (;;) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
    double v = 0;
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), v);
    if (error != std::errc{} || end != cell.data() + cell.size() || !push_value(f, v)) {
      return bad(place,
                 "column " + std::to_string(columns + 1) + ": \"" + std::string(cell.substr(0, 40)) +
                     "\" is not a finite number",
                 "one row of numbers a line, separated by commas, no header line");
    }
    if (++columns > kMaxDimension) return bad(place, "more than " + std::to_string(kMaxDimension) + " columns");
    if (comma == std::string_view::npos) break;
    line.remove_prefix(comma + 1);
  }
  if (f.dimension == 0) f.dimension = static_cast<std::uint32_t>(columns);
  if (columns != f.dimension) {
    return bad(place, std::to_string(columns) + " columns, the first line has " + std::to_string(f.dimension));
  }
  if (f.values.size() > kMaxValues) return fail(Status::too_large, place + ": over the limit of values");
  f.labels.emplace_back();
  return done();
}

Result<Features> read_csv(ByteView content, std::string_view name) {
  std::string_view rest = text(content);
  Features f;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() && rest.find_first_not_of("\r\n") == std::string_view::npos) break;
    SPARKMILL_TRY(csv_line(line, name, number, f));
  }
  SPARKMILL_TRY(check_size(name, f.labels.size(), f.dimension));
  return f;
}

// ---- npy ----

constexpr std::string_view kNpyMagic = "\x93NUMPY";

/// Cuts the value of 'key' out of the header's one-line dictionary: up to the next comma outside brackets.
std::string_view npy_value(std::string_view header, std::string_view key) {
  const std::string quoted = "'" + std::string(key) + "'";
  std::size_t at = header.find(quoted);
  if (at == std::string_view::npos || header.find(quoted, at + 1) != std::string_view::npos) return {};
  at = header.find_first_not_of(' ', at + quoted.size());
  if (at == std::string_view::npos || header[at] != ':') return {};
  at = header.find_first_not_of(' ', at + 1);
  if (at == std::string_view::npos) return {};
  std::size_t end = header[at] == '(' ? header.find(')', at) : header.find_first_of(",}", at);
  if (end == std::string_view::npos) return {};
  if (header[at] == '(') ++end;
  return header.substr(at, end - at);
}

/// "(rows, columns)" or "(rows, columns,)".
bool npy_shape(std::string_view shape, std::uint64_t& rows, std::uint64_t& columns) {
  std::string digits;
  for (const char c : shape) {
    if (c != ' ') digits.push_back(c);
  }
  if (digits.size() < 5 || digits.front() != '(' || digits.back() != ')') return false;
  const char* at = digits.data() + 1;
  const char* last = digits.data() + digits.size() - 1;
  auto first = std::from_chars(at, last, rows);
  if (first.ec != std::errc{} || first.ptr == last || *first.ptr != ',') return false;
  auto second = std::from_chars(first.ptr + 1, last, columns);
  if (second.ec != std::errc{}) return false;
  return second.ptr == last || (*second.ptr == ',' && second.ptr + 1 == last);
}

Result<Features> read_npy(ByteView content, std::string_view name) {
  ByteReader r(content);
  r.bytes(kNpyMagic.size());
  const std::uint8_t major = r.u8();
  r.u8();
  if (!r.failed() && (major < 1 || major > 3)) return bad(name, "npy version " + std::to_string(major) + " is unknown");
  const std::uint32_t length = major == 1 ? r.u16() : r.u32();
  if (length > 65536) return bad(name, "npy header of " + std::to_string(length) + " bytes is over the limit of 65536");
  const std::string_view header = text(r.bytes(length));
  if (r.failed()) return bad(name, "the npy header is cut off");
  const std::string_view type = npy_value(header, "descr");
  if (type != "'<f4'") {
    return bad(name, "npy descr is " + std::string(type.substr(0, 40)) + ", expected '<f4'",
               "save it with numpy.save(file, array.astype('<f4'))");
  }
  if (npy_value(header, "fortran_order") != "False") {
    return bad(name, "npy fortran_order is not False", "save it with numpy.save(file, numpy.ascontiguousarray(array))");
  }
  std::uint64_t rows = 0;
  std::uint64_t columns = 0;
  const std::string_view shape = npy_value(header, "shape");
  if (!npy_shape(shape, rows, columns)) {
    return bad(name, "npy shape is " + std::string(shape.substr(0, 40)) + ", expected (rows, values a row)");
  }
  if (rows > kMaxCount) return fail(Status::too_large, std::string(name) + ": more than 2^24 rows");
  SPARKMILL_TRY(check_size(name, rows, columns));
  const std::uint64_t bytes = rows * columns * 4;
  if (r.left() != bytes) {
    return bad(name, std::to_string(r.left()) + " bytes of values, the shape says " + std::to_string(bytes));
  }
  Features f;
  f.dimension = static_cast<std::uint32_t>(columns);
  f.values.resize(rows * columns);
  std::memcpy(f.values.data(), r.bytes(bytes).data(), bytes);
  for (std::size_t i = 0; i < f.values.size(); ++i) {
    if (!std::isfinite(f.values[i])) {
      return bad(name, "row " + std::to_string(i / columns) + ", value " + std::to_string(i % columns) +
                           " is not a finite number");
    }
  }
  f.labels.resize(rows);
  return f;
}

}  // namespace

Result<Features> read_features(ByteView content, std::string_view name) {
  const std::string_view all = text(content);
  if (all.starts_with(kNpyMagic)) return read_npy(content, name);
  const std::size_t first = all.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return bad(name, "is empty");
  if (all[first] == '{' || all[first] == '[') return read_json(content, name);
  return read_csv(content, name);
}

}  // namespace sparkmill::templates
