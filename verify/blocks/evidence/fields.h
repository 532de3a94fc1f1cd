// SPDX-License-Identifier: Apache-2.0
// Reading the fields of one item. A field that does not fit throws Malformed, which `decode` turns into the item's
// error. Private to verify/blocks/evidence.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/hex.h"
#include "verify/blocks/evidence/evidence.h"

namespace sparkmill::evidence {

using Json = nlohmann::json;

struct Malformed {
  std::string message;
};
/// A list or text longer than the specification lets a check look at.
struct OverLimit {};
/// Well-formed, and refused before any check of its kind.
struct Refused {
  std::string_view reason;  ///< a literal
};

class Fields {
 public:
  Fields(const Json& object, std::string what) : object_(object), what_(std::move(what)) {
    if (!object.is_object()) throw Malformed{what_ + " is no object"};
  }
  /// Element `index` of a list; its name is only made where an error needs it. `parent` must outlive it.
  Fields(const Json& object, const Fields& parent, const char* list, std::size_t index)
      : object_(object), parent_(&parent), list_(list), index_(index) {
    if (!object.is_object()) throw Malformed{what() + " is no object"};
  }

  const Json& at(const char* field) const {
    const auto it = object_.find(field);
    if (it == object_.end()) throw Malformed{path(field) + " is missing"};
    return *it;
  }
  bool has(const char* field) const {
    const auto it = object_.find(field);
    return it != object_.end() && !it->is_null();
  }
  std::string text(const char* field) const {
    const Json& j = at(field);
    if (!j.is_string()) throw Malformed{path(field) + " is no string"};
    return j.get<std::string>();
  }
  /// A number, or decimal digits in a string.
  std::uint64_t integer(const char* field, std::uint64_t most = ~std::uint64_t{0}) const {
    const Json& j = at(field);
    std::uint64_t value = 0;
    if (j.is_number_unsigned()) {
      value = j.get<std::uint64_t>();
    } else if (j.is_string()) {
      value = digits(field, j.get_ref<const std::string&>());
    } else {
      throw Malformed{path(field) + " is no integer from 0 to 2^64 - 1"};
    }
    if (value > most) throw Malformed{path(field) + " is over " + std::to_string(most)};
    return value;
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> array(const char* field) const {
    const Json& j = at(field);
    std::array<std::uint8_t, N> out;
    return plain_hex(j, out) ? out : hex_array<N>(j, path(field));
  }
  /// True where `j` is the hex of just these bytes; what is wrong otherwise, hex_array tells.
  static bool plain_hex(const Json& j, std::span<std::uint8_t> out) {
    if (!j.is_string()) return false;
    const auto& hex = j.get_ref<const std::string&>();
    if (hex.size() != 2 * out.size()) return false;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 255;
    };
    int bad = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
      bad |= (high | low) & ~15;
      out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return bad == 0;
  }
  template <std::size_t N>
  static std::array<std::uint8_t, N> hex_array(const Json& j, const std::string& what) {
    if (!j.is_string()) throw Malformed{what + " is no hex text"};
    auto value = array_from_hex<N>(j.get_ref<const std::string&>(), what);
    if (!value) throw Malformed{value.error().message};
    return *value;
  }
  /// Over `most` bytes: OverLimit, before anything is decoded.
  Bytes bytes(const char* field, std::size_t most) const {
    const Json& j = at(field);
    if (!j.is_string()) throw Malformed{path(field) + " is no hex text"};
    const auto& hex = j.get_ref<const std::string&>();
    if (hex.size() / 2 > most) throw OverLimit{};
    auto value = from_hex(hex, path(field));
    if (!value) throw Malformed{value.error().message};
    return std::move(*value);
  }
  const Json& list(const char* field, std::size_t most) const {
    const Json& j = at(field);
    if (!j.is_array()) throw Malformed{path(field) + " is no list"};
    if (j.size() > most) throw OverLimit{};
    return j;
  }
  Fields object(const char* field) const { return {at(field), path(field)}; }
  std::string path(const char* field) const { return what() + "." + field; }

 private:
  std::string what() const {
    return parent_ == nullptr ? what_ : parent_->path(list_) + "[" + std::to_string(index_) + "]";
  }
  std::uint64_t digits(const char* field, const std::string& text) const {
    std::uint64_t value = 0;
    for (const char c : text) {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (c < '0' || c > '9' || value > (~std::uint64_t{0} - digit) / 10) {
        throw Malformed{path(field) + " is no integer from 0 to 2^64 - 1"};
      }
      value = value * 10 + digit;
    }
    if (text.empty()) throw Malformed{path(field) + " is empty"};
    return value;
  }

  const Json& object_;
  std::string what_;
  const Fields* parent_ = nullptr;
  const char* list_ = nullptr;
  std::size_t index_ = 0;
};

/// One item on its way to its answer.
struct Task {
  const Json* in = nullptr;
  Json out;  ///< null: not answered
  bool ok = true;
  std::string reason;
  std::optional<Error> error;
};

/// What a runner gets beside its tasks.
struct Run {
  const Kernels& kernels;
  const Options& options;
  const StopToken& stop;
};

/// A kind: answers all its tasks in one go. Errors: those of the kernels.
struct KindRow {
  std::string_view kind;
  const char* first_field;  ///< tells kinds of different systems apart that have one name
  Done (*run)(std::span<Task*> tasks, const Run& run);
};
std::span<const KindRow> bttc_kinds();
std::span<const KindRow> btn_kinds();

inline void refuse(Task& task, std::string_view reason) {
  task.ok = false;
  task.reason = reason;
}
/// {"ok": .., "reason": ..}
inline void set_verdict(Task& task, bool ok, std::string_view reason) {
  task.out = {{"ok", ok}, {"reason", reason}};
  if (!ok) refuse(task, reason);
}
inline void limit_verdict(Task& task) { set_verdict(task, false, "limit"); }

/// Decodes each task; what cannot be read gets its error, what is over a limit `over_limit`. Returns the rest.
template <class Case>
struct Decoded {
  std::vector<Case> cases;
  std::vector<Task*> tasks;
};
template <class Case, class Read>
Decoded<Case> decode(std::span<Task*> tasks, Read read, const std::function<void(Task&)>& over_limit) {
  Decoded<Case> out;
  out.cases.reserve(tasks.size());
  for (Task* task : tasks) {
    try {
      out.cases.push_back(read(Fields(*task->in, "in")));
      out.tasks.push_back(task);
    } catch (const Malformed& e) {
      task->error = fail(Status::bad_input, e.message);
    } catch (const OverLimit&) {
      over_limit(*task);
    } catch (const Refused& e) {
      set_verdict(*task, false, e.reason);
    }
  }
  return out;
}
/// For kinds that answer item by item without a kernel.
template <class Answer>
Done each(std::span<Task*> tasks, Answer answer) {
  for (Task* task : tasks) {
    try {
      answer(Fields(*task->in, "in"), *task);
    } catch (const Malformed& e) {
      task->error = fail(Status::bad_input, e.message);
    } catch (const OverLimit&) {
      task->error = fail(Status::too_large, "over a limit of this kind");
    }
  }
  return done();
}

}  // namespace sparkmill::evidence
