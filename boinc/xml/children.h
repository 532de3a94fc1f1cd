// SPDX-License-Identifier: Apache-2.0
// All children of an element found in one pass, to be asked for by name: what parsers of records with many fields want.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "boinc/xml/scan.h"

namespace sparkmill::boinc::xml {

class Children {
 public:
  explicit Children(std::string_view inner) {
    Scanner scanner(inner);
    for (Element e; scanner.next(e);) all_.push_back(e);
  }
  const std::vector<Element>& all() const& { return all_; }
  void all() && = delete;  // a loop over it would outlive it
  /// The first of that name; nullptr when there is none.
  const Element* find(std::string_view name) const {
    const auto it = std::find_if(all_.begin(), all_.end(), [&](const Element& e) { return e.name == name; });
    return it == all_.end() ? nullptr : &*it;
  }
  std::string text(std::string_view name, std::size_t limit = 4096) const {
    const Element* e = find(name);
    return e == nullptr ? std::string() : xml::text(*e, limit);
  }
  /// What is no number, or does not fit into T, is `otherwise`.
  template <class T = std::int64_t>
  T integer(std::string_view name, T otherwise = 0) const {
    const Element* e = find(name);
    const auto v = e == nullptr ? std::nullopt : xml::integer(*e);
    return v && std::in_range<T>(*v) ? static_cast<T>(*v) : otherwise;
  }
  double real(std::string_view name, double otherwise = 0) const {
    const Element* e = find(name);
    return e == nullptr ? otherwise : xml::real(*e).value_or(otherwise);
  }
  bool flag(std::string_view name) const {
    const Element* e = find(name);
    return e != nullptr && xml::flag(*e);
  }

 private:
  std::vector<Element> all_;
};

}  // namespace sparkmill::boinc::xml
